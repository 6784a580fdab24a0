#include "somad/watchdog.h"

#include <stdbool.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"

static enum soma_code apply(struct write_op *op, struct store_txn *txn, struct soma_error *err)
{
    (void)op, (void)txn, (void)err;
    return SOMA_OK;
}

static void finish(struct write_op *op, const struct soma_error *err)
{
    (void)err;
    struct watchdog *watchdog = (struct watchdog *)op;
    atomic_store(&watchdog->is_asked, false);
}

void watchdog_init(struct watchdog *watchdog, struct writer *writer)
{
    uint64_t limit_us = 0;
    *watchdog = (struct watchdog){.writer = writer, .groups = -1};
    if (sd_watchdog_enabled(0, &limit_us) > 0)
        watchdog->period_ms = (int64_t)(limit_us / 3000) + 1; // two looks may be late
}

void watchdog_look(struct watchdog *watchdog)
{
    struct writer_counts counts;
    writer_count(watchdog->writer, &counts);
    if (counts.groups != watchdog->groups)
        sd_notify(0, "WATCHDOG=1");
    else
        log_warning("SERVER-WRITER-SLOW", "the writer has ended nothing for %lld ms",
                    (long long)watchdog->period_ms);
    watchdog->groups = counts.groups;
    if (atomic_exchange(&watchdog->is_asked, true))
        return;
    watchdog->probe = (struct write_op){.apply = apply, .finish = finish};
    writer_submit(watchdog->writer, &watchdog->probe);
}
