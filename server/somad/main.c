// somad: reads the configuration, starts the server, waits for a signal, stops it.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "somad/data_directory.h"
#include "somad/server.h"
#include "upkeep/upkeep.h"

enum {
    EXIT_CANNOT = 1, // start, or stop in time
    EXIT_CONFIG = 2,
    EXIT_FOUND = 3, // a check
    STOP_MAX_S = 5,
};

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

static sigset_t known_signals(void)
{
    sigset_t set = stop_signals();
    sigaddset(&set, SIGHUP);
    return set;
}

// Signals are waited for by the main thread alone; all threads inherit the mask.
static void set_signals(void)
{
    sigset_t set = known_signals();
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

// Thousands of connections need as many descriptors: the soft limit goes up to the hard one.
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// The service manager wants to know since when (sd_notify(3)).
static void reload(struct server *server)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    server_reload(server);
    sd_notify(0, "READY=1");
}

static int wait_for_stop(struct server *server)
{
    sigset_t set = known_signals();
    int number;
    do {
        int64_t ms = server_look(server);
        struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
        number = sigtimedwait(&set, NULL, &limit);
        if (number == SIGHUP)
            reload(server);
    } while (number < 0 || number == SIGHUP); // the time is over, or a debugger stopped us
    return number;
}

// Ends the process when the stop takes too long, or a second signal comes.
static void *watch_stop(void *unused)
{
    (void)unused;
    sigset_t set = stop_signals();
    struct timespec limit = {.tv_sec = STOP_MAX_S};
    int number;
    // A debugger or a leak checker that stops the threads interrupts the wait.
    do
        number = sigtimedwait(&set, NULL, &limit);
    while (number < 0 && errno == EINTR);
    log_warning("SERVER-STOP-FORCED", "%s",
                number > 0 ? "a second signal came" : "the stop takes too long");
    _exit(EXIT_CANNOT);
}

static void announce(const struct server *server)
{
    log_info("SERVER-READY", "pid %ld, version %s, listening on %s", (long)getpid(), SOMA_VERSION,
             server_addresses(server));
    sd_notifyf(0, "READY=1\nSTATUS=listening on %s", server_addresses(server));
}

static int run(const struct config *config)
{
    struct soma_error err = {0};
    struct server *server;
    if (server_start(config, &server, &err) != SOMA_OK) {
        log_error("SERVER-CANNOT-START", "%s", err.text);
        return err.code == SOMA_INVALID_ARGUMENT ? EXIT_CONFIG : EXIT_CANNOT;
    }
    announce(server);
    log_info("SERVER-STOPPING", "signal %d", wait_for_stop(server));
    sd_notify(0, "STOPPING=1");
    pthread_t watchdog;
    if (pthread_create(&watchdog, NULL, watch_stop, NULL) == 0)
        pthread_detach(watchdog);
    server_stop(server);
    log_info("SERVER-STOPPED", "all is committed");
    return 0;
}

// --- what is done in place of running

static int check(const struct config *config, struct soma_error *err)
{
    struct data_directory data;
    int64_t found = 0;
    if (access(config->data, F_OK)) {
        error_set_errno(err, errno, "there is no data directory %s", config->data);
        return EXIT_CANNOT;
    }
    if (data_directory_open(config->data, &data, err) != SOMA_OK)
        return EXIT_CANNOT;
    enum soma_code code = upkeep_check(data.path, &found, err);
    data_directory_close(&data);
    if (code != SOMA_OK)
        return EXIT_CANNOT;
    if (found == 0)
        printf("%s is sound\n", config->data);
    return found == 0 ? 0 : EXIT_FOUND;
}

static int act(const struct config *config, enum config_action action)
{
    struct soma_error err = {0};
    int status = 0;
    log_set_level((enum log_level)config->log_level);
    umask(0077);
    if (action == CONFIG_CHECK)
        status = check(config, &err);
    else if (action == CONFIG_BACKUP)
        upkeep_backup(config->data, config->archive, &err);
    else
        upkeep_restore(config->data, config->archive, &err);
    if (err.code != SOMA_OK) {
        fprintf(stderr, "somad: %s\n", err.text);
        return EXIT_CANNOT;
    }
    return fflush(stdout) ? EXIT_CANNOT : status;
}

int main(int argc, char **argv)
{
    struct config config;
    struct soma_error err;
    enum config_action action;
    int status = 0;
    fd_fill_standard();
    if (config_load(argc, argv, &config, &action, &err) != SOMA_OK) {
        fprintf(stderr, "somad: %s\nhint: somad --help lists all keys\n", err.text);
        status = EXIT_CONFIG;
    } else if (action == CONFIG_RUN) {
        log_set_level((enum log_level)config.log_level);
        umask(0077);
        set_signals();
        raise_descriptor_limit();
        status = run(&config);
    } else if (action != CONFIG_PRINTED) {
        status = act(&config, action);
    }
    config_fini(&config);
    return status;
}
