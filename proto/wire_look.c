/* wire_look - looking into a farm's store from another machine. */
#include "proto/wire_inner.h"

void wire_look_to_pb(const struct message *m, struct encoding *e)
{
    wire__look__init(&e->look);
    e->look.request = m->look.request;
    e->look.look = m->look.look;
    e->look.verb = wire_chars(m->look.verb);
    e->look.options = wire_list_to_pb(m->look.options, m->look.n_options, e);
    e->look.n_options = m->look.n_options;
    e->look.words = wire_list_to_pb(m->look.words, m->look.n_words, e);
    e->look.n_words = m->look.n_words;
}

void wire_looked_to_pb(const struct message *m, struct encoding *e)
{
    wire__looked__init(&e->looked);
    e->looked.request = m->looked.request;
    e->looked.look = m->looked.look;
    e->looked.out = wire_bytes(m->looked.out, m->looked.out_bytes);
    e->looked.ended = m->looked.ended;
    e->looked.code = m->looked.code;
    e->looked.err = wire_bytes(m->looked.err, m->looked.err_bytes);
}

enum err wire_look_from_pb(const Wire__Look *pb, struct message *m, struct fault *f)
{
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_at_most(pb->n_options, LOOK_WORDS_MAX, "the number of options", f));
    CHECK(wire_at_most(pb->n_words, LOOK_WORDS_MAX, "the number of words", f));
    CHECK(wire_text(&pb->verb, NAME_BYTES_MAX, "a verb", &m->look.verb, f));
    CHECK(wire_list(pb->options, pb->n_options, LOOK_WORD_BYTES_MAX, "an option", m->arena,
                    &m->look.options, f));
    CHECK(wire_list(pb->words, pb->n_words, LOOK_WORD_BYTES_MAX, "a word", m->arena, &m->look.words,
                    f));
    m->look.request = pb->request;
    m->look.look = pb->look;
    m->look.n_options = pb->n_options;
    m->look.n_words = pb->n_words;
    return ERR_NONE;
}

enum err wire_looked_from_pb(const Wire__Looked *pb, struct message *m, struct fault *f)
{
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_at_most(pb->out.len, INLINE_BYTES_MAX, "a page", f));
    CHECK(wire_at_most(pb->err.len, LOOK_ERR_BYTES_MAX, "stderr", f));
    m->looked.request = pb->request;
    m->looked.look = pb->look;
    m->looked.out = pb->out.data;
    m->looked.out_bytes = pb->out.len;
    m->looked.ended = pb->ended;
    m->looked.code = pb->code;
    m->looked.err = pb->err.data;
    m->looked.err_bytes = pb->err.len;
    return ERR_NONE;
}
