/* completion - the verb `grange completion`: scripts for bash and zsh, made from the tables of
 * options, so that they never lag behind. */
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **shell = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (strcmp(arg, "bash") != 0 && strcmp(arg, "zsh") != 0)
            return cli_bad("there is no completion for '%s'; it is one of bash, zsh", arg);
        *shell = arg;
        return 0;
    case ARGP_KEY_END:
        return *shell ? 0 : cli_bad("for which shell? grange completion bash, or zsh");
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    NULL,
    parse,
    "bash|zsh",
    "Prints a script that completes verbs, options and names of studies.\n"
    "\v"
    "EXAMPLES\n"
    "  source <(grange completion bash)\n"
    "  grange completion bash > ~/.local/share/bash-completion/completions/grange\n"
    "  grange completion zsh > ~/.zfunc/_grange     (with fpath+=~/.zfunc before compinit)\n",
    0,
    0,
    0
};

static bool shown(const struct argp_option *o)
{
    return o->name && !(o->flags & OPTION_HIDDEN);
}

static bool more(const struct argp_option *o)
{
    return o && (o->name || o->key || o->doc || o->group);
}

/* The long options of a verb. */
static void print_options(const struct verb *v)
{
    for (const struct argp_option *o = v->argp->options; more(o); o++)
        if (shown(o))
            printf(" --%s", o->name);
    printf(" --help");
}

static void print_verbs(void)
{
    for (size_t i = 0; cli_verbs[i]; i++)
        printf("%s%s", i ? " " : "", cli_verbs[i]->name);
    printf(" help");
}

/* Verbs that name a study, for the `case` of a shell. */
static const char study_verbs[] =
    "status|results|log|explain|resume|retry|cancel|graph|wait|hold|release|priority";

/* grange status --json prints one object a study, each with its "study" name; workers and farms do
 * the like. "$@": the verb that is asked. */
static const char studies[] =
    "    local where=() i\n"
    "    for ((i = 2; i < ${#words[@]}; i++)); do\n"
    "        case ${words[i-1]} in\n"
    "            -d|--dir) where=(--dir \"${words[i]}\") ;;\n"
    "            --farm|--connect) where=(\"${words[i-1]}\" \"${words[i]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    grange \"$@\" \"${where[@]}\" --json 2>/dev/null |\n"
    "        grep -o '\"\\(study\\|name\\|farm\\|worker\\)\": *\"[^\"]*\"' | sed 's/.*: *\"//; "
    "s/\"$//' | sort -u\n";

static void print_bash(void)
{
    printf("# bash completion of grange; made by: grange completion bash\n"
           "_grange_names() {\n"
           "    local words=(\"${COMP_WORDS[@]}\")\n%s}\n"
           "_grange() {\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local verb=${COMP_WORDS[1]} options=\n"
           "    COMPREPLY=()\n"
           "    if ((COMP_CWORD == 1)); then\n"
           "        COMPREPLY=($(compgen -W '",
           studies);
    print_verbs();
    printf(
        " --help --version' -- \"$cur\"))\n"
        "        return\n"
        "    fi\n"
        "    case $prev in\n"
        "        --dir|-d) COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n"
        "        --farm) COMPREPLY=($(compgen -W \"$(_grange_names farms)\" -- \"$cur\")); return "
        ";;\n"
        "        --input|-i|--save|--output|-o|--log|--connect|--plugin) COMPREPLY=($(compgen -f "
        "-- \"$cur\")); "
        "return ;;\n"
        "        --design) COMPREPLY=($(compgen -W 'grid random lhs sobol' -- \"$cur\")); return "
        ";;\n"
        "        --sync) COMPREPLY=($(compgen -W 'full normal off' -- \"$cur\")); return ;;\n"
        "        --format) COMPREPLY=($(compgen -W 'table csv json' -- \"$cur\")); return ;;\n"
        "    esac\n"
        "    case $verb in\n");
    for (size_t i = 0; cli_verbs[i]; i++) {
        printf("        %s) options='", cli_verbs[i]->name);
        print_options(cli_verbs[i]);
        printf("' ;;\n");
    }
    printf("        help) COMPREPLY=($(compgen -W '");
    print_verbs();
    printf(
        " exit-codes' -- \"$cur\")); return ;;\n"
        "    esac\n"
        "    if [[ $cur == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
        "        return\n"
        "    fi\n"
        "    case $verb in\n"
        "        %s) ((COMP_CWORD == 2)) && COMPREPLY=($(compgen -W \"$(_grange_names status)\" -- "
        "\"$cur\")) ;;\n"
        "        drain) COMPREPLY=($(compgen -W \"$(_grange_names workers)\" -- \"$cur\")) ;;\n"
        "        run|submit) COMPREPLY=($(compgen -c -f -- \"$cur\")) ;;\n"
        "        completion) COMPREPLY=($(compgen -W 'bash zsh' -- \"$cur\")) ;;\n"
        "    esac\n"
        "}\n"
        "complete -o default -F _grange grange\n",
        study_verbs);
}

/* Text between the brackets of a zsh option specification, itself in single quotes. */
static void print_zsh_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (strchr("[]:\\", *text))
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

/* "full|normal|off" names words, "N|N%" and "TIME" do not. */
static bool is_choice(const char *arg)
{
    return strchr(arg, '|') && arg[strspn(arg, "abcdefghijklmnopqrstuvwxyz|")] == '\0';
}

static void print_zsh_values(const char *arg)
{
    if (!is_choice(arg)) {
        printf(":%s", strcmp(arg, "FILE") == 0  ? "_files"
                      : strcmp(arg, "DIR") == 0 ? "_files -/"
                                                : " ");
        return;
    }
    printf(":(");
    for (; *arg; arg++)
        putchar(*arg == '|' ? ' ' : *arg);
    printf(")");
}

static void print_zsh_option(const struct argp_option *o, const struct argp_option *real)
{
    printf(" \\\n            '*--%s%s[", o->name, real->arg ? "=" : "");
    print_zsh_text(real->doc ? real->doc : "");
    printf("]");
    if (real->arg) {
        printf(":");
        print_zsh_text(real->arg);
        print_zsh_values(real->arg);
    }
    printf("'");
}

static void print_zsh_verb(const struct verb *v)
{
    printf("        %s) _arguments", v->name);
    const struct argp_option *real = NULL;
    for (const struct argp_option *o = v->argp->options; more(o); o++) {
        real = o->flags & OPTION_ALIAS ? real : o;
        if (shown(o))
            print_zsh_option(o, real);
    }
    printf(" \\\n            '--help[help]'");
    if (v->command_follows)
        printf(" \\\n            '*::command:_normal'");
    else if (strcmp(v->name, "completion") == 0)
        printf(" \\\n            '1:shell:(bash zsh)'");
    else if (strcmp(v->name, "drain") == 0)
        printf(" \\\n            '1:worker:($(_grange_names workers))'");
    else if (strstr(study_verbs, v->name))
        printf(" \\\n            '1:study:($(_grange_names status))' '*: :'");
    printf(" ;;\n");
}

static void print_zsh(void)
{
    printf("#compdef grange\n"
           "# zsh completion of grange; made by: grange completion zsh\n"
           "_grange_names() {\n"
           "    emulate -L zsh -o ksh_arrays\n%s}\n"
           "_grange() {\n"
           "    local -a verbs=(",
           studies);
    for (size_t i = 0; cli_verbs[i]; i++) {
        printf("\n        '%s:", cli_verbs[i]->name);
        print_zsh_text(cli_verbs[i]->summary);
        printf("'");
    }
    printf("\n        'help:help on a verb'\n    )\n"
           "    if ((CURRENT == 2)); then\n"
           "        _describe verb verbs\n"
           "        return\n"
           "    fi\n"
           "    local verb=$words[2]\n"
           "    shift words\n"
           "    ((CURRENT--))\n"
           "    case $verb in\n");
    for (size_t i = 0; cli_verbs[i]; i++)
        print_zsh_verb(cli_verbs[i]);
    printf(
        "        help) _describe verb verbs ;;\n"
        "    esac\n"
        "}\n"
        "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _grange \"$@\"; else compdef _grange "
        "grange; fi\n");
}

static int completion_main(int argc, char **argv)
{
    const char *shell = NULL;
    int rc = cli_parse(&verb_completion, argc, argv, &shell);
    if (rc >= 0)
        return rc;
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else
        print_zsh();
    return CLI_OK;
}

const struct verb verb_completion = {
    .name = "completion",
    .summary = "a script that completes commands in bash or zsh",
    .argp = &argp,
    .main = completion_main,
};
