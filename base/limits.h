#ifndef GRANGE_BASE_LIMITS_H
#define GRANGE_BASE_LIMITS_H
/* limits - every bound of Grange, with its arithmetic and what happens when it is reached. */

/* Times and durations of a peer in ms or us, and KiB: that far from the ends of int64 that whoever
 * adds them, takes them away or turns them into us need not look. 71,000 years; in us 71. */
#define WIRE_TIME_MAX (INT64_MAX / 4096)

enum {
    POINTS_MAX = 1 << 26, /* of one array: a byte of state each, 64 MiB at the most; refused */
    FACTORS_MAX = 64,     /* of one study: also the dimensions of our Sobol table; refused */
    VALUE_BYTES_MAX = 64 * 1024, /* one value of a factor; refused */
    SPEC_BYTES_MAX = 64 << 20,   /* a study as JSON, input files and tables included; refused */
    NAME_BYTES_MAX = 100,        /* a study, a factor, a metric, a worker; refused */
    NAMES_SHOWN_BYTES = 300,     /* of names in a message; then how many more there are */
    METRICS_MAX = 256,           /* of one study; refused */
    INPUTS_MAX = 64,             /* of one study; refused */
    ARGS_MAX = 4096,             /* of one command; refused */
    RETRIES_MAX = 1000,          /* of one point; refused */
    FRAME_BYTES_MAX =
        80
        << 20, /* one message: a spec of the largest size and its envelope; the peer is dropped */
    WORKERS_MAX = 4096, /* connected at once; refused */
    CLIENTS_MAX = 1024, /* connected at once; refused */
    LEAVERS_MAX = 1024, /* workers that were drained and then lost, remembered in case they come
                           back; the oldest is forgotten */
    SLOTS_MAX = 4096,   /* of one worker; refused */
    GRANTS_MAX =
        4096, /* leases given out in one step, and outstanding at one worker beyond its slots */
    OUTPUT_STORE_MAX = 1 << 20, /* of one stream of one point, in the store; beyond that a file */
    OUTPUT_FILE_MAX =
        256 << 20, /* of one stream of one point, in its file; beyond that counted and dropped */
    ERROR_LINE_MAX = 300,  /* the first line that a failed point wrote to stderr; cut */
    RUNNING_SHOWN_MAX = 8, /* running points in one progress message: the slowest */
    NEEDS_LABELS_MAX = 8,  /* labels that one task requires; refused */
    LABELS_MAX = 64,       /* of one worker; functions likewise */
    LABEL_BYTES_MAX = 100,
    RESOURCES_MAX = 8, /* named resources of one task or worker */
    RESOURCE_NAME_MAX = 31,
    WEIGHT_MAX = 1000,      /* of a study; refused */
    PRIORITY_MAX = 1000000, /* of a study, either way; refused */
    BLACK_HOLE_FAILS = 10,  /* failures in a row at a worker, of an array that does well elsewhere:
                               the worker gets nothing more; 0.2^10 is 1e-7 */
    BLACK_HOLE_GOOD = 4,    /* it does well: at least so many successes for a failure */
    QUARANTINE_LOSSES = 3,  /* workers lost under a task before it is quarantined */
    INFRA_TRIES =
        6, /* attempts that a worker could not start (disk, descriptors) before the point fails */
    MEDIAN_NEEDS = 5, /* finished points before a timeout of N% means anything */
};

/* Of arrays of calls; what is beyond is refused. */
enum {
    KEY_BYTES_MAX = 200,           /* the key of an array of calls */
    APPEND_CALLS_MAX = 1 << 16,    /* calls in one append */
    APPEND_BYTES_MAX = 32 << 20,   /* payloads in one append: two fit a frame, with their edges */
    APPEND_EDGES_MAX = 1 << 20,    /* edges in one append: 16 MiB on the wire */
    INLINE_BYTES_MAX = 256 * 1024, /* a payload or result that goes with its message; else a blob */
    BLOB_BYTES_MAX = 1 << 30,      /* one payload or result */
    BLOB_PART_BYTES = 1 << 20, /* of one message that carries a blob: what moves it is bounded */
    BLOB_WINDOW = 8,           /* parts on their way without an acknowledgement */
    BLOBS_MESSAGE_MAX = 4096,  /* blobs named in one append or assign */
    ENDS_MAX = 1 << 14,        /* ends in one message to who collects */
    ENDS_BYTES_MAX = 8 << 20,  /* results in one such message, about: it ends with the end that
                                  reaches it */
    INDEXES_MAX = 1 << 20,     /* calls named in one collect */
    CHUNK_CACHE_BYTES = 256 << 20,   /* payloads of calls that have not ended, in memory; the others
                                        are read back from the store when it is their turn */
    COLLECT_BEHIND_BYTES = 32 << 20, /* unread by who collects: the rest comes from the store */
    SHARE_TEXT_MAX = 100,            /* bytes that a running call says of itself; cut */
    WORKER_FUNCTIONS_MAX = 1024,     /* of the engines of one worker */
    ENGINES_MAX = 1 << 16,           /* engines in one message about the farm */
    STUDIES_MESSAGE_MAX = 1 << 16,   /* studies in one message about the farm */
};

enum {
    CONNECTIONS_MAX = 8192, /* of one link: WORKERS_MAX + CLIENTS_MAX and room to refuse more; a
                               power of two; further ones are closed at once */
    GREETING_MAX = 1024,    /* accepted and not yet proven, at a quarter of the descriptors at most;
                               the    oldest is closed */
    GREETING_FRAME_MAX = 2 << 20, /* the first frame of a connection: a hello with 65,536 leases;
                                     the peer is dropped */
    GREETING_BYTES_MAX =
        64 << 20, /* memory for first frames, of all connections together; the peer is dropped */
    GREET_MS = 10000, /* from a connection to its proof; the peer is dropped */
};

enum {
    BEAT_MS = 1000,       /* a heartbeat each way */
    LOST_AFTER_MS = 5000, /* silence of a worker */
    ADOPT_MS = 2000, /* a closed connection may come back this long; then its tasks run elsewhere */
    SETTLE_MS = 500, /* after a start: wait this long at most for the workers known before */
    ORPHAN_AFTER_MS = 600000, /* a worker without a scheduler stops its points and ends */
    DURABLE_LEASE_MS = 1000,  /* a lease older than this is written to the running table */
    RESERVE_AFTER_MS = 2000,  /* others start while a task finds no room: then a worker is kept free
                                 for it */
    PREFETCH_MS = 50,         /* work at hand at a worker beyond what runs */
    REPORT_DELAY_MS =
        20, /* a result waits this long at most for company, while there is work at hand */
    PROGRESS_MS = 100,    /* between two progress messages to one client */
    SHARES_MS = 250,      /* between two beats of a worker that say how far its calls are */
    KILL_GRACE_MS = 2000, /* between TERM and KILL */
    RELATIVE_TIMEOUT_MIN_MS =
        1000,                   /* a timeout of N% is no shorter: below, it would kill by chance */
    BLACK_HOLE_WAIT_MS = 60000, /* until such a worker is tried again; doubles each time */
    BLACK_HOLE_FAST_MS = 2000,  /* a failure that takes longer says nothing about the worker */
    BACKOFF_MIN_MS = 100,       /* before the first retry; doubles, with jitter */
    BACKOFF_MAX_MS = 60000,
};

enum {                                 /* looking into the store of a farm from another machine */
       LOOK_WORDS_MAX = 8,             /* options, and words; refused */
       LOOK_WORD_BYTES_MAX = 8 * 1024, /* of one, an expression for --where, say; refused */
       LOOK_ERR_BYTES_MAX = 64 * 1024, /* of stderr; the rest is left out */
       LOOKS_MAX = 16,                 /* at once; refused */
       LOOK_IDLE_MS = 60000,           /* without the next page being asked for; given up */
};

enum { /* operations on one engine that are not stored */
       DIRECT_WINDOW_BYTES =
           4 << 20, /* of one payload or result sent and not acknowledged: what each hop holds */
       DIRECT_TICKETS_MAX = 1024,           /* of one client at once; refused */
       DIRECT_BYTES_MAX = 64 << 20,         /* of one client on their way at once; refused */
       DIRECT_ENGINE_BYTES_MAX = 256 << 20, /* to one engine; refused */
};

#endif
