#include "base/rows.h"

const char *task_state_name(enum task_state state)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        TASK_STATES(X)
#undef X
    };

    return (unsigned)state < N_TASK_STATES ? names[state] : "?";
}

const char *end_reason_name(enum end_reason reason)
{
    static const char *const names[] = {
#define X(name, text) [name] = text,
        END_REASONS(X)
#undef X
    };

    return (unsigned)reason < N_END_REASONS ? names[reason] : "?";
}
