// Where a server of this user keeps its data and listens when nobody says otherwise; server and
// clients ask the same function.
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

// root: /var/lib/soma. Others: $XDG_DATA_HOME/soma, else $HOME/.local/share/soma. False where
// nothing says where, or it does not fit into size bytes.
bool address_default_data(char *ret_path, size_t size);

// Where it listens. root: ipc:///run/soma/somad.sock. Others:
// ipc://$XDG_RUNTIME_DIR/soma/somad.sock, else ipc://DATA/somad.sock.
bool address_default_server(char *ret_url, size_t size);

// Where a client looks for it: there; but where no such socket is and the machine's own server, at
// ipc:///run/soma/somad.sock, lets this user in, at that one.
bool address_find_server(char *ret_url, size_t size);

#endif
