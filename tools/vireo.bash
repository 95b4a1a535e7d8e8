# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of vireo's commands, options, domains, pools and networks for bash: the tool itself knows.

_vireo() {
    local at=1 word options=() words=() line

    # The tool's own options, up to the command.
    while [ "$at" -lt "$COMP_CWORD" ]; do
        word=${COMP_WORDS[at]}
        case $word in
        -c | --connect)
            # bash makes words of "--connect", "=", "URI".
            [ "${COMP_WORDS[at + 1]}" = "=" ] && at=$((at + 1))
            options+=(-c "${COMP_WORDS[at + 1]}")
            at=$((at + 2))
            ;;
        -c*) options+=("$word") at=$((at + 1)) ;;
        -*) at=$((at + 1)) ;;
        *) break ;;
        esac
    done
    if [ "$at" -ge "$COMP_CWORD" ] && [[ ${COMP_WORDS[COMP_CWORD]} == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--connect= --help --json --quiet --readonly --version" \
            -- "${COMP_WORDS[COMP_CWORD]}")
        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
        return
    fi
    # "--option=value" is one word to the tool, three to bash; only the value is to be completed then.
    words=("${COMP_WORDS[@]:at:COMP_CWORD-at+1}")
    local n=${#words[@]} value=
    if [ "$n" -ge 3 ] && [ "${words[n - 2]}" = "=" ]; then
        value=yes
        words=("${words[@]:0:n-3}" "${words[n - 3]}=${words[n - 1]}")
    elif [ "$n" -ge 2 ] && [ "${words[n - 1]}" = "=" ]; then
        value=yes
        words=("${words[@]:0:n-2}" "${words[n - 2]}=")
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        [ -n "$value" ] && line=${line#*=}
        COMPREPLY+=("$(printf %q "$line")")
    done < <("${COMP_WORDS[0]}" "${options[@]}" -q complete -- "${words[@]}" 2>/dev/null)
}

complete -o default -o bashdefault -F _vireo vireo
