/* stages - the arrays that a stage of a study file waits for: the current ones of the studies that
 * its spec names. They are loaded before it, whether they have ended or not. */

#include "scheduler/loop.h"
#include "study/study.h"

static uint8_t rule_of(const struct after *a)
{
    static const uint8_t on[N_AFTER_ON] = {
        [AFTER_SUCCESS] = RULE_ALL,
        [AFTER_FAILURE] = RULE_ON_FAILURE | RULE_NOT_SUCCESS,
        [AFTER_EITHER] = RULE_ON_FAILURE,
    };

    return (uint8_t)(on[a->on] | (a->any ? RULE_ANY : 0));
}

enum err stages_edges(struct scheduler *s, const struct study *spec, struct array_row *row,
                      struct fault *f)
{
    struct array_edge edges[STAGES_MAX];

    row->n_after = study_n_after(spec);
    row->after = NULL;
    for (size_t k = 0; k < row->n_after; k++) {
        const struct after *a = study_after(spec, k);
        study_id id;
        struct fault why;
        enum err err = submit_load(s, a->study, &id, &why);
        if (err == ERR_NOT_FOUND)
            return fault_set(f, err,
                             "study '%s' waits for '%s', which was not submitted; run the study "
                             "file with both stages",
                             study_name(spec), a->study);
        if (err)
            return fault_set(f, err, "%s", why.text);
        edges[k] = (struct array_edge){ .on = loaded_find(s, id)->array,
                                        .rule = rule_of(a),
                                        .element = a->each };
    }
    if (row->n_after) {
        struct buf *kept = loop_text(s); /* until the end of the turn */
        buf_add(kept, edges, row->n_after * sizeof *edges);
        row->after = (const struct array_edge *)(const void *)kept->data;
    }
    return ERR_NONE;
}
