#ifndef GRANGE_CLI_FARM_VIEW_H
#define GRANGE_CLI_FARM_VIEW_H
/* farm_view - a farm as text: tables of its workers and engines, for `grange workers` and `top`. */

#include "base/buf.h"
#include "base/ids.h"
#include "client/grange.h"

/* farm_view_workers - a line a worker. farm_view_engines - a line an engine; nothing when there is
 * none. now_ms: wall clock. */
void farm_view_workers(const struct grange_farm *farm, ms_t now_ms, unsigned width,
                       struct buf *out);
void farm_view_engines(const struct grange_farm *farm, unsigned width, struct buf *out);

/* "up", "away", "draining", "quarantined"; static */
const char *farm_view_state(enum grange_worker_state state);
const char *farm_view_engine_state(enum grange_engine_state state);

/* farm_view_json - workers and engines. */
void farm_view_json(const struct grange_farm *farm, struct buf *out);

#endif
