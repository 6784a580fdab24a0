// Ctrl-C, counted: SIGINT and SIGTERM for a command that has something to do about them.
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

// Catches both from now on, for the rest of the program. Returns a file descriptor that is readable
// after each signal until interrupts_count is called; -1: not possible (errno).
int interrupts_open(void);

// From this many signals on, the program ends at once, whatever it does; 0: never.
void interrupts_end_at(unsigned count);

unsigned interrupts_count(void);

#endif
