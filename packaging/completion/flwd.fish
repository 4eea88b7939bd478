# Completion for fish 3.4 or newer: flwd completion fish | source

function __flwd_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l current (commandline --cut-at-cursor --current-token)
    set -l bare (string unescape -- $current; or echo -- $current)
    set -l command (string replace -r '^~' $HOME -- $words[1])
    $command __complete (math (count $words) - 1) $words[2..-1] "$bare" 2>/dev/null | while read -l line
        switch $line
            case '{"files":"file"}'
                __fish_complete_path (string replace -r '^--[^=]*=' '' -- $current) | __flwd_prefix $current
            case '{"files":"dir"}'
                __fish_complete_directories (string replace -r '^--[^=]*=' '' -- $current) '' | __flwd_prefix $current
            case '*'
                set -l parts (string match -r '^\{"value":"(.*)","about":"(.*)"\}$' -- $line)
                printf '%s\t%s\n' (string replace -ra '\\\\(.)' '$1' -- $parts[2]) (string replace -ra '\\\\(.)' '$1' -- "$parts[3]")
        end
    end
end

# In --config=FILE, the part before the file belongs to the word.
function __flwd_prefix
    set -l prefix (string match -r '^--[^=]*=' -- $argv[1])
    while read -l line
        printf '%s%s\n' "$prefix" $line
    end
end

complete --command flwd --erase
complete --command flwd --no-files --keep-order --arguments '(__flwd_complete)'
