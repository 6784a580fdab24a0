# Completion for fish: soma itself says what may come next.
function __soma_complete
    set -l words (commandline -opc) (commandline -ct)
    soma complete -- $words[2..-1] 2>/dev/null
end
complete -c soma -a '(__soma_complete)'
