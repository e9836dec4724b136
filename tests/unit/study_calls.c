/* study: the spec of an array of calls. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/needs.h"
#include "study/calls.h"

static struct calls_spec c;
static struct fault f;

static enum err spec(const char *json)
{
    return calls_spec_read(json, strlen(json), &c, &f);
}

Test(study_calls, a_function_with_a_policy)
{
    cr_assert_eq(spec("{\"calls\":{\"function\":\"collatz\"},\"retries\":2,\"timeout\":\"500ms\","
                      "\"cores\":2,\"memory\":\"1G\",\"priority\":-5,\"weight\":3,\"running\":7,"
                      "\"least\":\"10s\",\"resources\":{\"gpus\":2},\"require\":[\"fast\"],"
                      "\"backoff\":[\"1s\",\"1m\"],\"exits\":\"75:retry\","
                      "\"after\":[{\"key\":\"a\",\"each\":true,\"on\":\"either\"},{\"key\":\"b\","
                      "\"any\":true}]}"),
                 ERR_NONE, "%s", f.text);
    const struct policy *p = &c.policy;
    cr_assert_str_eq(c.function, "collatz");
    cr_assert(p->retries == 2 && p->timeout_ms == 500 && p->needs.cores == 2);
    cr_assert(p->needs.memory_mib == 1024 && p->priority == -5 && p->weight == 3);
    cr_assert(p->running_max == 7 && p->needs.least_ms == 10000 && p->grace_ms == KILL_GRACE_MS);
    cr_assert(p->backoff_min_ms == 1000 && p->backoff_max_ms == 60000);
    cr_assert(p->needs.n_resources == 1 && p->needs.resources[0].amount == 2);
    cr_assert(p->needs.n_labels == 2 && strcmp(p->needs.labels[1], "fn:collatz") == 0);
    cr_assert_eq(p->exit_action[75], EXIT_RETRY);
    cr_assert(c.n_after == 2 && c.after[0].element && c.after[0].rule == RULE_ON_FAILURE);
    cr_assert(strcmp(c.after[1].key, "b") == 0 && c.after[1].rule == RULE_ANY);
    calls_spec_fini(&c);
}

Test(study_calls, the_words_of_a_study_file)
{
    cr_assert_eq(spec("{\"calls\":{\"commands\":true},\"exit\":{\"3\":\"warn\",\"5\":\"retry\"},"
                      "\"backoff\":\"1s..1m\",\"max_running\":7,\"speculate\":true}"),
                 ERR_NONE, "%s", f.text);
    const struct policy *p = &c.policy;
    cr_assert(p->exit_action[3] == EXIT_WARN && p->exit_action[5] == EXIT_RETRY);
    cr_assert(p->backoff_min_ms == 1000 && p->backoff_max_ms == 60000);
    cr_assert(p->running_max == 7 && p->speculate);
    calls_spec_fini(&c);
}

Test(study_calls, a_restart_command_is_for_commands)
{
    cr_assert_eq(spec("{\"calls\":{\"commands\":true},\"restart\":\"$1 --resume\"}"), ERR_NONE,
                 "%s", f.text);
    cr_assert_str_eq(c.restart, "$1 --resume");
    calls_spec_fini(&c);
    cr_assert_eq(spec("{\"calls\":{\"function\":\"f\"},\"restart\":\"x\"}"), ERR_USAGE);
    cr_assert_str_eq(f.text,
                     "the spec of an array of calls: 'restart' should be a command line, and "
                     "beside commands: a function has none");
    cr_assert_eq(spec("{\"calls\":{\"commands\":true},\"restart\":\"\"}"), ERR_USAGE);
}

Test(study_calls, a_word_that_is_not_known_is_refused)
{
    static const char known[] = "{\"calls\":{\"commands\":true},\"retries\":1,\"after\":[]}",
                      unknown[] = "{\"calls\":{\"commands\":true},\"retris\":1}";

    cr_assert_eq(calls_spec_check(known, sizeof known - 1, &f), ERR_NONE);
    cr_assert_eq(calls_spec_check(unknown, sizeof unknown - 1, &f), ERR_USAGE);
    cr_assert_str_eq(f.text, "an array of calls has no option 'retris'; did you mean 'retries'?");
}

Test(study_calls, commands)
{
    cr_assert_eq(spec("{\"calls\":{\"commands\":true,\"cwd\":\"/tmp\"}}"), ERR_NONE, "%s", f.text);
    cr_assert(c.function == NULL && strcmp(c.cwd, "/tmp") == 0 && c.policy.needs.cores == 1);
    calls_spec_fini(&c);
}

static void refused(const char *json, const char *words)
{
    cr_assert_neq(spec(json), ERR_NONE, "%s", json);
    cr_assert(strstr(f.text, words), "'%s' lacks '%s'", f.text, words);
}

Test(study_calls, what_is_wrong_is_said)
{
    refused("[]", "not a JSON object: it is something else");
    refused("{\"calls\"", "not a JSON object: ");
    refused("{}", "{\"function\": NAME} or {\"commands\": true}");
    refused("{\"calls\":{\"function\":\"f\",\"commands\":true}}", "or");
    refused("{\"calls\":{\"function\":\"a b\"}}",
            "'function' should be a name of letters, digits and");
    refused("{\"calls\":{\"commands\":true},\"retries\":-1}",
            "'retries' should be a number from 0");
    refused("{\"calls\":{\"commands\":true},\"cores\":\"2\"}", "'cores'");
    refused("{\"calls\":{\"commands\":true},\"timeout\":\"soon\"}", "soon");
    refused("{\"calls\":{\"commands\":true},\"least\":\"300%\"}",
            "'least' should be a time, such as \"30s\" or \"500ms\"");
    refused("{\"calls\":{\"commands\":true},\"least\":30}", "'least' should be a time, such as");
    refused("{\"calls\":{\"commands\":true},\"timeout\":30}", "'timeout' should be a text");
    refused("{\"calls\":{\"commands\":true},\"resources\":{\"gpus\":0}}",
            "'resources' should be at most 8 names with amounts: {\"gpus\": 2}");
    refused("{\"calls\":{\"commands\":true},\"resources\":\"gpus=1\"}",
            "'resources' should be an object: {\"gpus\": 2}");
    refused("{\"calls\":{\"commands\":true},\"require\":\"fast\"}",
            "'require' should be a list of labels: [\"fast\"");
    refused("{\"calls\":{\"commands\":true},\"require\":[\"a b\"]}",
            "'require' should be at most 8 labels: [");
    refused("{\"calls\":{\"commands\":true},\"backoff\":[\"1s\"]}",
            "'backoff' should be two times: \"100ms..60s\" or [\"100ms\", \"60s\"]");
    refused("{\"calls\":{\"commands\":true},\"exit\":{\"3\":\"wrn\"}}", "did you mean 3:warn?");
    refused("{\"calls\":{\"commands\":true},\"exit\":\"3:warn\"}",
            "'exit' should be an object, and not beside 'exits': {\"3\": \"warn\"}");
    refused("{\"calls\":{\"commands\":true},\"exit\":{\"3\":\"ok\"},\"exits\":\"4:ok\"}",
            "and not beside 'exits'");
    refused("{\"calls\":{\"commands\":true},\"exit\":{\"3\":0}}",
            "'exit' should be an object of texts: {\"3\": \"warn\"}");
    refused("{\"calls\":{\"commands\":true},\"after\":[{\"key\":\"\"}]}",
            "'after' should be a list of objects, each with the key of an array");
    refused("{\"calls\":{\"commands\":true},\"after\":\"a\"}", "each with the key of an array");
    char many[65 * 12 + 100] = "{\"calls\":{\"commands\":true},\"after\":[{\"key\":\"a\"}";
    for (int k = 0; k < CALLS_AFTER_MAX; k++)
        strcat(many, ",{\"key\":\"a\"}");
    refused(strcat(many, "]}"), "an array of calls waits for 65 others; 64 are the limit");
    refused("{\"calls\":{\"commands\":true},\"after\":[{\"key\":\"a\",\"on\":\"x\"}]}",
            "'on' should be success, failure or either");
}
