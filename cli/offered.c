#include "cli/offered.h"

#include "cli/cli.h"
#include "study/study.h"
#include "worker/offer.h"

static error_t add(struct buf *all, const char *arg, bool labels)
{
    struct offer offer;
    struct fault f;

    if (!arg[0])
        return cli_bad("--%s: an empty value offers nothing; leave it out",
                       labels ? "label" : "resource");
    buf_addf(all, "%s%s", all->n ? "," : "", arg);
    const char *words = buf_text(all);
    enum err err = offer_parse(&offer, labels ? words : NULL, labels ? NULL : words, &f);
    offer_fini(&offer);
    return err ? cli_bad("%s", f.text) : 0;
}

error_t offered_label(struct buf *all, const char *arg)
{
    return add(all, arg, true);
}

error_t offered_resource(struct buf *all, const char *arg)
{
    return add(all, arg, false);
}

error_t offered_memory(const char *arg, uint64_t *mib)
{
    struct policy p = { 0 };
    struct fault f;

    if (study_parse_memory(arg, &p, &f))
        return cli_bad("--memory: %s", f.text);
    *mib = p.needs.memory_mib;
    return 0;
}
