#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "study/impl.h"

static bool has_blank(const char *text)
{
    return text[strcspn(text, " \t\n")] != '\0';
}

static enum err parse_all(struct study *s, struct fault *f, struct blame *blame)
{
    for (size_t k = 0; k < s->n_args; k++) {
        blame->i = k;
        enum err err = template_command(s, s->arg_texts[k], &s->args[k], f);
        if (err)
            return err;
    }
    return ERR_NONE;
}

static enum err parse_restart(struct study *s, struct fault *f, struct blame *blame)
{
    const char *text = s->words.restart;

    if (!text)
        return ERR_NONE;
    *blame = (struct blame){ .word = WORD_RESTART };
    if (s->words.function)
        return fault_set(f, ERR_USAGE, "a function has no restart command");
    if (text[strspn(text, " \t\n")] == '\0')
        return fault_set(f, ERR_USAGE, "the restart command is empty");
    s->restart = arena_array(&s->arena, 1, sizeof *s->restart);
    enum err err = template_command(s, text, s->restart, f);
    *blame = (struct blame){ .word = WORD_COMMAND };
    return err;
}

enum err command_prepare(struct study *s, struct fault *f, struct blame *blame)
{
    const struct words *w = &s->words;

    *blame = (struct blame){ .word = WORD_COMMAND };
    s->arg_texts = arena_array(&s->arena, w->n_command + 1, sizeof *s->arg_texts);
    s->args = arena_array(&s->arena, w->n_command + 1, sizeof *s->args);
    for (size_t k = 0; k < w->n_command; k++)
        s->arg_texts[k] = w->command[k];
    s->n_args = w->n_command;
    s->shell = w->n_command == 1 && has_blank(w->command[0]);
    enum err err = parse_restart(s, f, blame);
    if (!err)
        err = parse_all(s, f, blame);
    if (err || w->n_command == 0 || w->n_lists == 0 || (s->uses & TEMPLATE_USES_ANY))
        return err;

    /* Like GNU parallel: values that no placeholder asks for go to the end of the command. */
    if (s->shell) {
        size_t n = strlen(w->command[0]);
        char *text = arena_take(&s->arena, n + sizeof " {}");
        memcpy(text, w->command[0], n);
        memcpy(text + n, " {}", sizeof " {}");
        s->arg_texts[0] = text;
    } else {
        s->arg_texts[s->n_args++] = "{}";
    }
    return parse_all(s, f, blame);
}

void command_init(struct command *c)
{
    *c = (struct command){ 0 };
}

void command_fini(struct command *c)
{
    buf_fini(&c->text);
    free(c->argv);
    *c = (struct command){ 0 };
}

/* A program named by a relative path is the same one in any working directory. Its text is the end
 * of *out, from start on. */
static void make_absolute(const struct study *s, struct buf *out, size_t start)
{
    const char *program = buf_text(out) + start;
    struct buf path = { 0 };

    if (*program == '/' || !strchr(program, '/'))
        return;
    while (strncmp(program, "./", 2) == 0)
        program += 2;
    buf_adds(&path, s->words.cwd);
    if (path.n == 0 || path.data[path.n - 1] != '/')
        buf_addc(&path, '/');
    buf_adds(&path, program);
    out->n = start;
    buf_add(out, path.data, path.n);
    buf_fini(&path);
}

/* The arguments one after the other, each with a zero byte behind it; returns how many. */
static size_t add_arguments(const struct study *s, const struct point *p, const struct dirs *dirs,
                            bool absolute, struct buf *out)
{
    struct scene scene = { .s = s, .p = p, .dirs = dirs };
    size_t n = 0, start = out->n;

    for (size_t k = 0; k < s->n_args; k++) {
        bool all = template_is_all(&s->args[k]);
        for (size_t j = s->n_named; j < (all ? p->n : s->n_named + 1); j++) {
            if (all)
                buf_adds(out, p->values[j]);
            else
                template_add(&s->args[k], &scene, out);
            if (n == 0 && absolute)
                make_absolute(s, out, start);
            buf_addc(out, '\0');
            n++;
        }
    }
    return n;
}

void study_command(const struct study *s, const struct point *p, const struct dirs *dirs,
                   bool again, struct command *c)
{
    struct scene scene = { .s = s, .p = p, .dirs = dirs, .sh = true };
    const struct template *text_for_sh = again && s->restart ? s->restart
                                         : s->shell          ? s->args
                                                             : NULL;

    buf_clear(&c->text);
    buf_reserve(&c->text, 1);
    if (text_for_sh) {
        buf_add(&c->text, "/bin/sh\0-c", sizeof "/bin/sh\0-c");
        template_add(text_for_sh, &scene, &c->text);
        c->n = 3;
    } else {
        c->n = add_arguments(s, p, dirs, true, &c->text);
    }
    c->argv = realloc(c->argv, (c->n + 1) * sizeof *c->argv);
    must(c->argv != NULL);
    char *text = c->text.data;
    for (size_t k = 0; k < c->n; k++) {
        c->argv[k] = text;
        text += strlen(text) + 1;
    }
    c->argv[c->n] = NULL;
}

void study_command_line(const struct study *s, const struct point *p, const struct dirs *dirs,
                        struct buf *out)
{
    struct scene scene = { .s = s, .p = p, .dirs = dirs, .sh = true };
    struct buf text = { 0 };

    if (s->words.function) {
        buf_addf(out, "function %s", s->words.function);
        return;
    }
    if (s->shell) {
        template_add(&s->args[0], &scene, out);
        return;
    }
    size_t n = add_arguments(s, p, dirs, study_runs_in_dir(s), &text);
    const char *argument = buf_text(&text);
    for (size_t k = 0; k < n; k++) {
        if (k)
            buf_addc(out, ' ');
        buf_add_sh(out, argument);
        argument += strlen(argument) + 1;
    }
    buf_fini(&text);
}

void study_restart_line(const struct study *s, const struct point *p, const struct dirs *dirs,
                        struct buf *out)
{
    if (s->restart)
        template_add(s->restart, &(struct scene){ .s = s, .p = p, .dirs = dirs, .sh = true }, out);
}

void study_input_render(const struct study *s, size_t k, const struct point *p,
                        const struct dirs *dirs, struct buf *out)
{
    must(k < s->words.n_inputs);
    struct scene scene = { .s = s, .p = p, .dirs = dirs };
    template_add(&s->input_templates[k], &scene, out);
}
