/**
 * What a shell reads to complete `sallyport`. Each asks `sallyport complete`, which prints one candidate a line,
 * a tab and what it is behind it, or `:paths` where a path is wanted: so no script knows any command by name.
 */
export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A word that is no candidate: the shell is to complete paths itself. */
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

// COMP_WORDS is parted at ":" and "=" too; names of accounts and factors may hold them, so the line is read anew.
const bash = `# bash completion for sallyport
_sallyport() {
  local line=\${COMP_LINE:0:COMP_POINT} current='' word
  local -a words=() typed=()
  # As the shell parts words, without running anything that stands in them.
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
  # What stands before the last ":" or "=" is on the line already.
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
