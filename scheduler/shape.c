/* shape - what tasks ask for, and which workers have it. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

const char *shape_intern(struct core *c, const char *text)
{
    struct interned *i;

    if (!text || !*text)
        return "";
    HASH_FIND_STR(c->texts, text, i);
    if (i)
        return i->text;
    i = calloc(1, sizeof *i);
    must(i != NULL);
    i->text = malloc(strlen(text) + 1);
    must(i->text != NULL);
    strcpy(i->text, text);
    HASH_ADD_KEYPTR(hh, c->texts, i->text, strlen(i->text), i);
    return i->text;
}

void shape_free(struct core *c)
{
    struct interned *i, *next;

    HASH_ITER(hh, c->texts, i, next)
    {
        HASH_DELETE(hh, c->texts, i);
        free(i->text);
        free(i);
    }
}
