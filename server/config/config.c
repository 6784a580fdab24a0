#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/text.h"
#include "config/key.h"

enum {
    PRINTER_FIRST = 1000, // getopt's value of the first printer; keys are counted from 0 on
    ACTION_FIRST = 2000,
    FLAG_CONFIG = 3000,
    NAME_SIZE = 64,
};

#define DEFAULT_FILE "/etc/soma/somad.conf"

const struct key_row key_table[] = {
#define KEY(name, field, kind, type, initial, min, max, argument, meaning) \
    {name, KEY_##kind, offsetof(struct config, field), initial, min, max, argument, meaning},
#include "config/keys.def"
#undef KEY
    {NULL, KEY_TEXT, 0, NULL, 0, 0, NULL, NULL},
};

enum {
    KEY_COUNT = sizeof key_table / sizeof key_table[0] - 1
};

// Flags that print something and end.
static const struct {
    const char *name;
    void (*print)(FILE *out);
} printers[] = {
    {"help", config_print_help},
    {"version", config_print_version},
    {"print-example", config_print_example},
    {"print-man", config_print_man},
};

enum {
    PRINTER_COUNT = sizeof printers / sizeof printers[0]
};

// Flags that say what to do in place of running.
static const struct {
    const char *name;
    enum config_action action;
    bool names_archive;
} actions[] = {
    {"check", CONFIG_CHECK, false},
    {"backup", CONFIG_BACKUP, true},
    {"restore", CONFIG_RESTORE, true},
    {"print-config", CONFIG_PRINTED, false},
};

enum {
    ACTION_COUNT = sizeof actions / sizeof actions[0],
    OPTION_COUNT = KEY_COUNT + PRINTER_COUNT + ACTION_COUNT + 1
};

// A value and where it was found, for the error text.
struct setting {
    struct config *config;
    bool *is_set; // [KEY_COUNT]: by an earlier, stronger place
    bool now_set[KEY_COUNT];
    const char *places[KEY_COUNT]; // where each was found
    const char *place;
    struct soma_error *err;
    enum soma_code code;
};

void config_print_version(FILE *out)
{
    fprintf(out, "somad %s\n", SOMA_VERSION);
}

static const struct key_row *find_key(const char *name)
{
    for (const struct key_row *row = key_table; row->name; row++) {
        if (strcmp(row->name, name) == 0)
            return row;
    }
    return NULL;
}

// Sets a key to a value that was found in setting->place, unless a stronger place has set it.
static enum soma_code set(struct setting *setting, const struct key_row *row, const char *value)
{
    size_t index = (size_t)(row - key_table);
    if (setting->is_set[index])
        return SOMA_OK;
    bool first = !setting->now_set[index];
    setting->now_set[index] = true;
    setting->places[index] = setting->place;
    struct soma_error why;
    enum soma_code code = key_parse(row, value, first, setting->config, &why);
    if (code == SOMA_OK)
        return SOMA_OK;
    return error_set(setting->err, REASON_CONFIG_INVALID, row->name, "%s: %s '%s': %s",
                     setting->place, row->name, value, why.text);
}

// What this place has set is not to be changed by the next, weaker one.
static void close_place(struct setting *setting)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        setting->is_set[i] = setting->is_set[i] || setting->now_set[i];
        setting->now_set[i] = false;
    }
}

static enum soma_code unknown_key(struct setting *setting, const char *name)
{
    const char *near = key_nearest(name);
    return error_set(setting->err, REASON_CONFIG_INVALID, name, "%s: there is no key '%s'%s%s%s",
                     setting->place, name, near ? "; is '" : "", near ? near : "",
                     near ? "' meant?" : "");
}

static void fill_options(struct option options[static OPTION_COUNT + 1])
{
    for (int i = 0; i < KEY_COUNT; i++)
        options[i] = (struct option){key_table[i].name, required_argument, NULL, i};
    for (int i = 0; i < PRINTER_COUNT; i++)
        options[KEY_COUNT + i] =
            (struct option){printers[i].name, no_argument, NULL, PRINTER_FIRST + i};
    for (int i = 0; i < ACTION_COUNT; i++)
        options[KEY_COUNT + PRINTER_COUNT + i] =
            (struct option){actions[i].name, actions[i].names_archive, NULL, ACTION_FIRST + i};
    options[OPTION_COUNT - 1] = (struct option){"config", required_argument, NULL, FLAG_CONFIG};
    options[OPTION_COUNT] = (struct option){0};
}

static enum soma_code bad_flag(struct setting *setting, const char *word, int result)
{
    if (result == ':')
        return error_set(setting->err, REASON_CONFIG_INVALID, word, "%s needs a value", word);
    char name[NAME_SIZE];
    word += strspn(word, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    return unknown_key(setting, name);
}

static enum soma_code read_flags(struct setting *setting, int argc, char **argv,
                                 const char **ret_file, enum config_action *ret_action,
                                 bool *ret_is_printed)
{
    struct option options[OPTION_COUNT + 1];
    fill_options(options);
    setting->place = "command line";
    opterr = 0;
    optind = 0;
    int result;
    while ((result = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        enum soma_code code = SOMA_OK;
        if (result == '?' || result == ':')
            code = bad_flag(setting, argv[optind - 1], result);
        else if (result == FLAG_CONFIG)
            *ret_file = optarg;
        else if (result >= ACTION_FIRST) {
            *ret_action = actions[result - ACTION_FIRST].action;
            setting->config->archive = optarg;
        } else if (result >= PRINTER_FIRST) {
            printers[result - PRINTER_FIRST].print(stdout);
            *ret_action = CONFIG_PRINTED;
            *ret_is_printed = true;
            return SOMA_OK;
        } else
            code = set(setting, &key_table[result], optarg);
        if (code != SOMA_OK)
            return code;
    }
    if (optind < argc)
        return error_set(setting->err, REASON_CONFIG_INVALID, argv[optind],
                         "command line: '%s' is no flag", argv[optind]);
    close_place(setting);
    return SOMA_OK;
}

// SOMA_MAX_RUNNING for "max-running".
static void variable_of(const struct key_row *row, char ret_name[NAME_SIZE])
{
    int length = snprintf(ret_name, NAME_SIZE, "SOMA_%s", row->name);
    for (int i = 0; i < length; i++)
        ret_name[i] = ret_name[i] == '-' ? '_' : (char)toupper((unsigned char)ret_name[i]);
}

static enum soma_code read_environment(struct setting *setting)
{
    char name[NAME_SIZE];
    setting->place = "environment";
    for (const struct key_row *row = key_table; row->name; row++) {
        variable_of(row, name);
        const char *value = getenv(name);
        enum soma_code code = value ? set(setting, row, value) : SOMA_OK;
        if (code != SOMA_OK)
            return code;
    }
    close_place(setting);
    return SOMA_OK;
}

// A file as inih reads it.
struct lines {
    FILE *file;
    bool is_list; // the last key was a list's, which a line that begins with a space goes on with
};

static bool names_list(const char *line)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, " \t=:\r\n"), line);
    const struct key_row *row = find_key(name);
    return row && row->kind == KEY_LIST;
}

// inih's reader of a line. It would take a ';' behind a space for the beginning of a comment, and
// cut a list there: in a list's line no such space is left.
static char *next_line(char *line, int size, void *user)
{
    struct lines *lines = user;
    if (!fgets(line, size, lines->file))
        return NULL;
    size_t indent = strspn(line, " \t");
    if (line[indent] == ';' || line[indent] == '#')
        return line;
    if (indent == 0)
        lines->is_list = names_list(line);
    if (!lines->is_list)
        return line;
    char *to = line;
    for (const char *from = line; *from;) {
        size_t gap = strspn(from, " \t");
        from += from[gap] == ';' ? gap : 0;
        *to++ = *from++;
    }
    *to = '\0';
    return line;
}

// inih's: 0 is an error, of which it tells the line.
static int read_line(void *user, const char *section, const char *name, const char *value)
{
    struct setting *setting = user;
    if (setting->code != SOMA_OK)
        return 0;
    const struct key_row *row = section[0] ? NULL : find_key(name);
    setting->code = row ? set(setting, row, value) : unknown_key(setting, name);
    return setting->code == SOMA_OK;
}

static enum soma_code read_file(struct setting *setting, const char *named)
{
    const char *path = named ? named : DEFAULT_FILE;
    FILE *file = fopen(path, "re");
    if (!file && errno == ENOENT && !named)
        return SOMA_OK;
    if (!file)
        return error_set(setting->err, REASON_CONFIG_INVALID, "config", "cannot open %s: %s", path,
                         strerror(errno));
    struct stat info;
    if (fstat(fileno(file), &info) || S_ISDIR(info.st_mode)) {
        fclose(file);
        return error_set(setting->err, REASON_CONFIG_INVALID, "config", "%s is no file", path);
    }
    setting->place = path;
    setting->code = SOMA_OK;
    struct lines lines = {.file = file};
    int line = ini_parse_stream(next_line, &lines, read_line, setting);
    fclose(file);
    if (line == 0)
        return SOMA_OK;
    if (setting->code == SOMA_OK)
        return error_set(setting->err, REASON_CONFIG_INVALID, "config",
                         "%s:%d: no line of the form 'key = value'", path, line);
    char text[SOMA_TEXT_SIZE];
    if (setting->err) {
        snprintf(text, sizeof text, "%.250s (line %d)", setting->err->text, line);
        memcpy(setting->err->text, text, sizeof text);
    }
    return setting->code;
}

// As lines of a file, each with where it comes from.
static void print_settings(const struct setting *setting)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const char *place = setting->places[i];
        printf("# %s\n%s%s = ", place ? place : "not set", place ? "" : "#", key_table[i].name);
        key_print(stdout, &key_table[i], setting->config);
        putchar('\n');
    }
}

static enum soma_code set_defaults(struct setting *setting)
{
    char text[512];
    setting->place = "default";
    for (const struct key_row *row = key_table; row->name; row++) {
        enum soma_code code = row->initial ? set(setting, row, row->initial) : SOMA_OK;
        if (code != SOMA_OK)
            return code;
    }
    enum soma_code code = SOMA_OK;
    if (!setting->config->data)
        code = address_default_data(text, sizeof text)
                   ? set(setting, find_key("data"), text)
                   : error_set(setting->err, REASON_CONFIG_INVALID, "data",
                               "no --data, and $HOME does not say where");
    if (code == SOMA_OK && setting->config->listen.count == 0 &&
        address_default_server(text, sizeof text))
        code = set(setting, find_key("listen"), text);
    return code;
}

enum soma_code config_load(int argc, char **argv, struct config *ret_config,
                           enum config_action *ret_action, struct soma_error *err)
{
    *ret_config = (struct config){0};
    *ret_action = CONFIG_RUN;
    bool is_set[KEY_COUNT] = {false};
    struct setting setting = {.config = ret_config, .is_set = is_set, .err = err};
    const char *file = getenv("SOMA_CONFIG");
    bool is_printed = false;
    enum soma_code code = read_flags(&setting, argc, argv, &file, ret_action, &is_printed);
    if (code != SOMA_OK || is_printed)
        return code;
    code = read_environment(&setting);
    if (code == SOMA_OK)
        code = read_file(&setting, file);
    close_place(&setting);
    if (code == SOMA_OK)
        code = set_defaults(&setting);
    if (code == SOMA_OK && *ret_action == CONFIG_PRINTED)
        print_settings(&setting);
    return code;
}

void config_fini(struct config *config)
{
    for (const struct key_row *row = key_table; row->name; row++)
        key_clear(row, config);
}
