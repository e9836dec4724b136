#ifndef GRANGE_BASE_NAMES_H
#define GRANGE_BASE_NAMES_H
/* names - what several folders must call the same. */

/* The name that a scheduler's certificate is for, on whatever host it runs: whoever dials over TLS
 * asks for it (docs/protocol.md, Connections). */
#define GRANGE_SERVER_NAME "scheduler.grange"

#endif
