#ifndef GRANGE_ENGINE_HOST_H
#define GRANGE_ENGINE_HOST_H
/* host - the engine that runs plug-ins: what `grange engine-host LIBRARY...` does, which a worker
 * starts once a slot. It speaks docs/engine.md over descriptors 3 and 4. */

#include <stddef.h>

/* engine_host - until the worker goes away or says bye; the exit code. What is wrong with a plug-in
 * is on stderr, as "grange: ...", and ends it before its hello. */
int engine_host(char *const *plugins, size_t n_plugins);

#endif
