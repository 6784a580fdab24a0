#!/usr/bin/env bash
# TLS, with the recipe of docs/NETWORK.md and an authority that is thrown away.
# harness.sh assigns.
# shellcheck disable=SC1091,SC2034,SC2154
cd "$(dirname "$0")" || exit 1
document=$PWD/../../docs/NETWORK.md
. ./harness.sh

owner=$SOMA_SERVER
if "$somad_program" --data "$scratch/none" --listen tls+tcp://127.0.0.1:0 2>&1 | grep -q 'built without TLS'; then
    expect 2 soma --server tls+tcp://127.0.0.1:1 ping
    err_has "built without TLS"
    echo "# built without TLS"
    exit 77
fi

# recipe NAME: runs what stands between its marks in the document, in the directory of certificates.
recipe() {
    sed -n "/<!-- $1: begin -->/,/<!-- $1: end -->/s/^    //p" "$document" >"$scratch/recipe.sh"
    [ -s "$scratch/recipe.sh" ] || fail "no recipe $1"
    (cd "$certificates" && bash -e "$scratch/recipe.sh") >"$scratch/recipe.log" 2>&1 || fail "recipe $1: $(tail -n 3 "$scratch/recipe.log")"
}

certificates=$scratch/certificates
mkdir "$certificates" "$scratch/other"
recipe authority
export server_name=localhost
recipe server
recipe client

# start_tls_server ARGS…: over ipc and both kinds of TLS.
start_tls_server() {
    "$somad_program" --data "$scratch/data" --listen "$owner" --listen tls+tcp://127.0.0.1:0 --listen wss://127.0.0.1:0/soma --sandbox best_effort \
        --tls-certificate "$certificates/server.pem" --tls-key "$certificates/server.key" "$@" >>"$scratch/somad.log" 2>&1 &
    somad_pid=$!
    until_true "$soma_program" --timeout 1s ping
    port=$(soma -o json info | jq -r '.listeners[1]' | sed 's/.*://')
    wss_port=$(soma -o json info | jq -r '.listeners[2]' | sed 's/.*:\([0-9]*\).*/\1/')
}
start_tls_server || exit 1
token=$(soma token create -q --scope admin boss)
over() { SOMA_TOKEN=$token "$soma_program" --timeout 5s --server "$@"; }
with_ca() { over "$1" --ca-file "$certificates/ca.pem" "${@:2}"; }
restart_tls_server() {
    stop_server TERM
    start_tls_server "$@"
}
serial() { openssl s_client -connect "127.0.0.1:$port" -CAfile "$certificates/ca.pem" </dev/null 2>/dev/null | openssl x509 -noout -serial; }

test_calls_pass_over_tls_by_name_and_by_number() {
    for address in "tls+tcp://localhost:$port" "tls+tcp://127.0.0.1:$port" "wss://localhost:$wss_port/soma" "wss://127.0.0.1:$wss_port/soma"; do
        expect 0 with_ca "$address" ping
        expect 0 with_ca "$address" run -- sh -c 'seq 100000; exit 0'
        is "$(wc -l <"$scratch/out")" 100000
    done
    expect 4 env -u SOMA_TOKEN "$soma_program" --server "tls+tcp://localhost:$port" --ca-file "$certificates/ca.pem" ping
    err_has "asks for a token"
    expect 0 grep -qE 'CALL-REFUSED soma.v1.ServerService/Ping from 127\.0\.0\.1:[0-9]+: ' "$scratch/somad.log"
}

test_a_megabyte_comes_back_as_it_went() {
    head -c 3000000 /dev/urandom >"$scratch/large"
    for address in "tls+tcp://localhost:$port" "wss://localhost:$wss_port/soma"; do
        expect 0 with_ca "$address" run --file "$scratch/large:large" -- cat large
        cmp "$scratch/large" "$scratch/out" || fail "other bytes"
    done
}

test_a_server_that_nobody_signed_for_is_not_talked_to() {
    expect 5 over "tls+tcp://localhost:$port" ping
    err_has "does not trust the other's certificate"
    (cd "$scratch/other" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other -keyout ca.key -out ca.pem 2>/dev/null)
    expect 5 over "tls+tcp://localhost:$port" --ca-file "$scratch/other/ca.pem" ping
    expect 5 over "wss://localhost:$wss_port/soma" --ca-file "$scratch/other/ca.pem" ping
    # A name that its certificate does not have.
    expect 5 with_ca "tls+tcp://127.0.0.2:$port" ping
    expect 5 with_ca "tcp://127.0.0.1:$port" ping
    expect 0 with_ca "tls+tcp://localhost:$port" ping
}

test_older_versions_of_tls_are_refused() {
    local version
    cipher_of() { openssl s_client -connect "127.0.0.1:$port" "$@" </dev/null 2>/dev/null | grep -a -o 'Cipher is .*'; }
    for version in tls1 tls1_1; do
        is "$(cipher_of "-$version" -cipher ALL:@SECLEVEL=0)" "Cipher is (NONE)"
    done
    [[ $(cipher_of -tls1_2) == "Cipher is ECDHE-"* ]] || fail "TLS 1.2 was refused"
}

test_clients_without_a_certificate_are_refused_where_one_is_asked_for() {
    local address
    restart_tls_server --tls-client-ca "$certificates/ca.pem"
    for address in "tls+tcp://localhost:$port" "wss://localhost:$wss_port/soma"; do
        expect 5 with_ca "$address" ping
        expect 0 with_ca "$address" --certificate-file "$certificates/client.pem" --key-file "$certificates/client.key" ping
    done
    address="tls+tcp://localhost:$port"
    (cd "$scratch/other" && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=stranger -keyout client.key -out client.pem 2>/dev/null)
    expect 5 with_ca "$address" --certificate-file "$scratch/other/client.pem" --key-file "$scratch/other/client.key" ping
    # One that its authority signed, and whose time is over.
    (cd "$certificates" && openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -out "$scratch/other/late.pem" 2>/dev/null)
    expect 5 with_ca "$address" --certificate-file "$scratch/other/late.pem" --key-file "$certificates/client.key" ping
    expect 2 with_ca "$address" --certificate-file "$certificates/client.pem" ping
    err_has "go together"
    expect 0 env SOMA_CA_FILE="$certificates/ca.pem" SOMA_CERTIFICATE_FILE="$certificates/client.pem" SOMA_KEY_FILE="$certificates/client.key" \
        SOMA_TOKEN="$token" "$soma_program" --server "$address" ping
    restart_tls_server
}

test_a_new_certificate_is_read_at_a_signal_and_a_bad_one_is_not_taken() {
    local before after
    before=$(serial)
    recipe server
    kill -HUP "$somad_pid"
    until_true grep -q CERTIFICATES-READ "$scratch/somad.log"
    serial >/dev/null
    after=$(serial)
    if [ -z "$after" ] || [ "$before" = "$after" ]; then fail "serial $before, then $after"; fi
    echo nonsense >"$certificates/server.pem"
    kill -HUP "$somad_pid"
    until_true grep -q CERTIFICATES-KEPT "$scratch/somad.log"
    is "$(serial)" "$after"
    expect 0 with_ca "tls+tcp://localhost:$port" ping
    # A renewal of which one file is there.
    recipe server
    cp "$certificates/client.key" "$certificates/server.key"
    kill -HUP "$somad_pid"
    until_true grep -q 'CERTIFICATES-KEPT .* is not that of the certificate' "$scratch/somad.log"
    is "$(serial)" "$after"
    is "$(serial)" "$after"
    expect 0 with_ca "tls+tcp://localhost:$port" ping
    recipe server
    kill -HUP "$somad_pid"
}

test_peers_that_speak_no_tls_say_nothing_or_are_killed_leave_nothing() {
    local before i
    descriptors() { find "/proc/$somad_pid/fd" -type l | wc -l; }
    # shellcheck disable=SC2317  # until_true calls it
    are_gone() { [ "$(descriptors)" -le $((before + 2)) ]; }
    before=$(descriptors)
    exec 7<>"/dev/tcp/127.0.0.1/$port" 8<>"/dev/tcp/127.0.0.1/$wss_port"
    for i in {1..20}; do
        (echo "GET / HTTP/1.0" >"/dev/tcp/127.0.0.1/$port") 2>/dev/null
        (exec 9<>"/dev/tcp/127.0.0.1/$wss_port") 2>/dev/null
        # Each goes at another moment: of the handshake, of the call.
        SOMA_TOKEN=$token timeout -s KILL "0.0$((i % 9 + 1))" "$soma_program" --server "tls+tcp://localhost:$port" --ca-file "$certificates/ca.pem" \
            submit -q -- true
    done >/dev/null 2>&1
    expect 0 with_ca "tls+tcp://localhost:$port" ping
    expect 0 with_ca "wss://localhost:$wss_port/soma" ping
    # Those that say nothing are still there at this end.
    until_true are_gone
    exec 7>&- 8>&-
}

test_mistakes_are_told() {
    local refused=("$somad_program" --data "$scratch/refused" --listen tls+tcp://0.0.0.0:0)
    expect 2 "${refused[@]}"
    err_has "needs tls-certificate and tls-key"
    expect 2 "${refused[@]}" --tls-certificate "$certificates/server.pem" --tls-key "$certificates/client.key"
    err_has "is not that of the certificate"
    expect 2 with_ca "tls+tcp://localhost:$port" --certificate-file "$certificates/client.pem" --key-file "$certificates/server.key" ping
    err_has "is not that of the certificate"
    expect 2 "${refused[@]}" --tls-certificate "$certificates/none.pem" --tls-key "$certificates/server.key"
    err_has "there is no file"
    expect 2 "${refused[@]}" --tls-certificate "$certificates/server.key" --tls-key "$certificates/server.key"
    err_has "holds no certificate"
    expect 2 over "tls+tcp://localhost:$port" --ca-file "$certificates/none.pem" ping
    expect 2 over "tls+tcp://localhost:$port" --ca-file "$certificates/ca.key" ping
    expect 2 "$somad_program" --data "$scratch/refused" --listen tcp://0.0.0.0:0
    err_has "tls+tcp:// and wss:// may"
}

run_tests
