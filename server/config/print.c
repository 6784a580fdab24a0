// What the table of keys is good for besides reading: help, example file, man page.
#include <string.h>

#include "config/key.h"

enum {
    HELP_COLUMN = 26,
    HELP_WIDTH = 78
};

// Prints text in lines of HELP_WIDTH, all but the first begun at HELP_COLUMN.
static void print_wrapped(FILE *out, const char *text)
{
    size_t column = HELP_COLUMN;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        bool is_first = column == HELP_COLUMN;
        fprintf(out, "%s%.*s", is_first ? "" : " ", (int)length, text);
        column += length + !is_first;
        text += length + (text[length] == ' ');
    }
    fputc('\n', out);
}

static void print_meaning(FILE *out, const struct key_row *row)
{
    char text[512];
    snprintf(text, sizeof text, "%s.%s%s%s", row->meaning, row->initial ? " Default: " : "",
             row->initial ? row->initial : "", row->kind == KEY_LIST ? " May be repeated." : "");
    print_wrapped(out, text);
}

void config_print_help(FILE *out)
{
    fputs("somad runs people's code as durable jobs and keeps their vectors.\n\n"
          "  somad --data DIR --listen URL     as little as that, or nothing at all\n\n",
          out);
    for (const struct key_row *row = key_table; row->name; row++) {
        char flag[64];
        int length = snprintf(flag, sizeof flag, "  --%s %s", row->name, row->argument);
        fprintf(out, "%-*s", HELP_COLUMN, flag);
        if (length >= HELP_COLUMN)
            fprintf(out, "\n%*s", HELP_COLUMN, "");
        print_meaning(out, row);
    }
    fputs("\nInstead of running, on the data directory:\n\n"
          "  --check                 Say what is wrong in it: database, collections, files\n"
          "                          of jobs. No server may run on it. Exit status 3:\n"
          "                          something is.\n"
          "  --backup FILE           Save it to a tar archive, - is stdout; a server may\n"
          "                          be running.\n"
          "  --restore FILE          Make it, where there is none yet, from such an\n"
          "                          archive.\n\n",
          out);
    fputs("  --config FILE           A file of lines 'key = value'. Default: $SOMA_CONFIG,\n"
          "                          or /etc/soma/somad.conf where there is one.\n"
          "  --print-config          Print what holds for each key, and where it comes\n"
          "                          from.\n"
          "  --print-example         Print an example of that file, with all keys.\n"
          "  --print-man             Print the manual page, somad(8).\n"
          "  --help, --version\n\n"
          "A flag wins over the environment (SOMA_MAX_RUNNING for --max-running), that over\n"
          "the file, that over the default. In environment and file, items of a list stand\n"
          "between ';'.\n",
          out);
}

void config_print_example(FILE *out)
{
    fputs("# somad.conf: all keys with their defaults. Flags and SOMA_ variables win over it.\n"
          "# Items of a list stand between ';'; behind any other value ' ;' begins a comment.\n",
          out);
    for (const struct key_row *row = key_table; row->name; row++)
        fprintf(out, "\n# %s.\n#%s = %s\n", row->meaning, row->name,
                row->initial ? row->initial : "");
}

void config_print_man(FILE *out)
{
    fprintf(
        out,
        ".TH SOMAD 8 \"\" \"SOMA %s\"\n.SH NAME\nsomad \\- server for durable jobs and vectors\n",
        SOMA_VERSION);
    fputs(".SH SYNOPSIS\n.B somad\n[\\fB\\-\\-\\fIkey value\\fR ...]\n.SH DESCRIPTION\n"
          "Runs programs as durable jobs, keeps vectors, and answers soma(1) and programs that use "
          "libsoma.\n"
          "A flag wins over the environment (\\fBSOMA_\\fIKEY\\fR), that over the file "
          "(\\fB\\-\\-config\\fR), that over the default.\n"
          ".SH KEYS\n",
          out);
    for (const struct key_row *row = key_table; row->name; row++) {
        fprintf(out, ".TP\n\\fB\\-\\-%s\\fR \\fI%s\\fR\n%s.\n", row->name, row->argument,
                row->meaning);
        if (row->initial)
            fprintf(out, "Default: %s.\n", row->initial);
    }
    fputs(
        ".PP\n.B somad \\-\\-print\\-config\nprints what holds for each key, and where it comes "
        "from; with the same flags, environment and file as the server.\n"
        ".SH CHECK, BACKUP AND RESTORE\n"
        ".B somad \\-\\-check\nsays what is wrong in the data directory: in the database, in the "
        "collections beside it, in the files of jobs. No server may run on it.\n"
        ".PP\n.B somad \\-\\-backup \\fIFILE\\fR\nsaves it to a tar archive (- is stdout), also "
        "while a server runs: the database as it is at one moment, then what jobs left and the "
        "uploads that they wait for. Work directories are left out, and indexes, which are built "
        "again.\n"
        ".PP\n.B somad \\-\\-restore \\fIFILE\\fR\nmakes it, where there is none yet, from such an "
        "archive, whole or not at all. Jobs that ran at the time of the backup are lost.\n",
        out);
    fputs(".SH SIGNALS\nTERM and INT stop the server within 5 seconds; running jobs go on and are "
          "found again at the next start.\n"
          ".SH EXIT STATUS\n0 after a stop by signal, 1 when it could not start or go on, 2 for a "
          "wrong configuration, 3 when a check found something.\n"
          ".SH FILES\n.I /etc/soma/somad.conf\n.SH SEE ALSO\nsoma(1)\n",
          out);
}
