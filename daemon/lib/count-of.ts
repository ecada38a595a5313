/** "1 account", "2 accounts"; with `many` where the plural has no plain "s": "1 account is", "2 accounts are". */
export function pluralise(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
