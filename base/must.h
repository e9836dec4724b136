#ifndef GRANGE_BASE_MUST_H
#define GRANGE_BASE_MUST_H
/* must - the check that stays on in every build. For what we rely on ourselves (invariants, memory
 * that may not run out), never for what a peer or a person sent. */

_Noreturn void must_fail(const char *file, int line, const char *what);

#define must(cond) ((cond) ? (void)0 : must_fail(__FILE__, __LINE__, #cond))

#endif
