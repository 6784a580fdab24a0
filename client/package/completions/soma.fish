# Completion for fish: soma itself says what may come next.
function __soma_complete
    set -l words (commandline -opc) (commandline -ct)
    soma complete -- $words[2..-1] 2>/dev/null
end
# Files only where it has nothing to say.
complete -c soma -n 'count (__soma_complete) >/dev/null' -f -a '(__soma_complete)'
