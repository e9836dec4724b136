/* oracle_policy - what people and policies ask for: a worker that leaves gets nothing, nor one that
 * fails what others do well; a study has no more out than it may; what is steered is on the disk.
 * What is wrong: oracle.h. */

#include <string.h>

#include "base/must.h"
#include "tests/sim/oracle.h"

/* What is known of a worker; one that is given up begins anew when it is back. */
static struct judged *judged(struct oracle *o, uint64_t instance)
{
    struct judged *j = &o->judged[(instance & 0xff) % SIM_WORKERS];

    if (j->instance != instance)
        *j = (struct judged){ .instance = instance };
    return j;
}

void oracle_not_judged(struct sim *s, uint64_t instance)
{
    struct judged *j = judged(s->oracle, instance);
    bool asked = j->asked;

    *j = (struct judged){ .instance = asked ? instance : 0, .leaves = asked, .asked = asked };
}

void oracle_leaves(struct sim *s, uint64_t instance, bool asked)
{
    if (!instance)
        return;
    judged(s->oracle, instance)->leaves = true;
    judged(s->oracle, instance)->asked |= asked;
}

/* An attempt that ended by itself: the same sums as those of note_at_worker, from what is written.
 */
void oracle_attempt_ended(struct sim *s, const struct end_row *e, bool good)
{
    struct oracle *o = s->oracle;
    uint64_t instance = oracle_instance(s, e->worker);
    const struct array_row *row = world_array_of(s, e->task);
    bool fast = e->wall_us <= BLACK_HOLE_FAST_MS * 1000ULL;

    if (!instance || !row)
        return;
    struct judged *j = judged(o, instance);
    o->good[row->id.n] += good;
    o->bad[row->id.n] += !good;
    if (good || !fast || j->streak_of != row->id.n)
        j->streak = 0;
    j->streak_of = row->id.n;
    j->streak += !good && fast;
    uint64_t elsewhere = o->bad[row->id.n] - j->streak;
    if (j->streak >= BLACK_HOLE_FAILS && s->now >= j->hole_until &&
        o->good[row->id.n] >= BLACK_HOLE_FAILS &&
        o->good[row->id.n] >= BLACK_HOLE_GOOD * elsewhere) {
        j->hole_until = s->now + BLACK_HOLE_WAIT_MS;
        j->streak = BLACK_HOLE_FAILS - 1; /* then a single one decides again */
        sim_note(s, "oracle", "worker instance %llx is a black hole", (unsigned long long)instance);
    }
}

void oracle_loaded(struct sim *s, array_id array)
{
    s->oracle->good[array.n] = s->oracle->bad[array.n] = 0;
}

void oracle_may_get(struct sim *s, uint64_t instance)
{
    const struct judged *j = judged(s->oracle, instance);

    if (j->leaves)
        sim_fail(s, "a worker that leaves is given work");
    if (s->now < j->hole_until)
        sim_fail(s, "a worker that fails what others do well is given work");
}

void oracle_may_begin(struct sim *s, task_id task)
{
    const struct array_row *row = world_array_of(s, task);
    struct core_study cs;

    if (core_study(s->scheduler.core, row->study, &cs) && cs.running_max &&
        cs.counts.running > cs.running_max)
        sim_fail(s, "study %u has %llu tasks out and may have %u", row->study.n,
                 (unsigned long long)cs.counts.running, cs.running_max);
}

void oracle_policy_on_disk(struct sim *s, const struct core_study *cs)
{
    const struct policy *p = &world_array(s, cs->array)->policy;

    if (p->priority != cs->priority || p->weight != cs->weight || p->running_max != cs->running_max)
        sim_fail(s, "study %u: a restart would forget its priority or share", cs->study.n);
}
