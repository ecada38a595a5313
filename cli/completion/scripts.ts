/**
 * Completion scripts for shells. Each calls `sallyport complete`, which prints one candidate per line with a tab and
 * its description, or `:paths` for a path: no script contains command names.
 */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Printed instead of candidates: the shell completes paths. */
export const pathsWanted = ':paths';

export function scriptFor(shell: Shell): string {
  switch (shell) {
    case 'bash':
      return bash;
    case 'zsh':
      return zsh;
    case 'fish':
      return fish;
  }
}

// COMP_WORDS is also split at ":" and "=", which names of accounts and factors may contain: the line is split again.
const bash = `# bash completion for sallyport
_sallyport() {
  local line=\${COMP_LINE:0:COMP_POINT} current='' word
  local -a words=() typed=()
  # Splits words as the shell does, without running substitutions in them.
  mapfile -t words < <(xargs -n 1 printf '%s\\n' <<<"$line" 2>/dev/null)
  if [[ $line != *[[:space:]] ]] && ((\${#words[@]} > 1)); then
    current=\${words[-1]}
    unset 'words[-1]'
  fi
  typed=("\${words[@]:1}")
  COMPREPLY=()
  while IFS=$'\\t' read -r word _; do
    if [[ $word == ${pathsWanted} ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
      return
    fi
    COMPREPLY+=("$(printf '%q' "$word")")
  done < <(sallyport complete --current="$current" -- "\${typed[@]}" 2>/dev/null)
  # The part up to the last ":" or "=" is already on the line.
  local kept=\${COMP_WORDS[COMP_CWORD]}
  if [[ $current == *[:=]* && $current == *"$kept" ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"\${current%"$kept"}"}")
  fi
}
complete -F _sallyport sallyport
`;

const zsh = `#compdef sallyport
_sallyport() {
  local -a found offered typed
  local line word about
  typed=("\${(@Q)words[2,CURRENT-1]}")
  found=("\${(@f)$(sallyport complete --current="\${(Q)PREFIX}" -- "\${typed[@]}" 2>/dev/null)}")
  for line in "\${found[@]}"; do
    [[ -z $line ]] && continue
    if [[ $line == ${pathsWanted} ]]; then
      _files
      return
    fi
    word=\${line%%$'\\t'*}
    about=\${line#*$'\\t'}
    [[ $about == $line || -z $about ]] && offered+=("\${word//:/\\\\:}") || offered+=("\${word//:/\\\\:}:$about")
  done
  _describe 'sallyport' offered
}
if [ "$funcstack[1]" = "_sallyport" ]; then
  _sallyport "$@"
else
  compdef _sallyport sallyport
fi
`;

const fish = `# fish completion for sallyport
function __sallyport_complete
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    set -l found (sallyport complete --current="$current" -- $typed[2..] 2>/dev/null)
    if test "$found[1]" = ${pathsWanted}
        __fish_complete_path "$current"
    else
        printf '%s\\n' $found
    end
end
complete -c sallyport -f -a '(__sallyport_complete)'
`;
