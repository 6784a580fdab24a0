// One line on stderr for each thing worth an operator's attention: "<level> <id> text". Never on
// stdout.
//
// The id is stable and greppable ("JOB-LOST"), the level is a journald prefix ("<4>") when stderr
// is the journal, a word otherwise. Thread-safe: a line is one write.
//
// Who reads the log must not be able to stop the server: where the reader of a pipe takes nothing
// for a second, lines are dropped until it does, and then LOG-DROPPED says how many.
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG
};

// Lines above max_level are dropped. LOG_LEVEL_INFO before the first call.
void log_set_level(enum log_level max_level);

void log_line(enum log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(id, ...)   log_line(LOG_LEVEL_ERROR, id, __VA_ARGS__)
#define log_warning(id, ...) log_line(LOG_LEVEL_WARNING, id, __VA_ARGS__)
#define log_info(id, ...)    log_line(LOG_LEVEL_INFO, id, __VA_ARGS__)
#define log_debug(id, ...)   log_line(LOG_LEVEL_DEBUG, id, __VA_ARGS__)

#endif
