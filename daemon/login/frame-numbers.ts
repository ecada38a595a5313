/** The numbers of docs/reference/protocol.md. test/vectors holds the bytes that they lead to. */

export const protocolVersion = 1;
export const types = {
  hello: 0x01,
  answer: 0x02,
  cancel: 0x03,
  withdrawn: 0x04,
  info: 0x11,
  error: 0x12,
  prompt: 0x13,
  wait: 0x14,
  result: 0x15,
  withdraw: 0x16,
} as const;
export const tags = {
  version: 0x01,
  service: 0x02,
  user: 0x03,
  ruser: 0x04,
  rhost: 0x05,
  tty: 0x06,
  session: 0x07,
  realUid: 0x08,
  mode: 0x09,
  firstFactorPassed: 0x0a,
  sshAuthInfo: 0x0b,
  deadline: 0x0c,
  flags: 0x0d,
  terminal: 0x0e,
  answer: 0x20,
  text: 0x30,
  style: 0x31,
  code: 0x32,
  strip: 0x33,
} as const;
export const modes = ['prompt', 'password-and-code', 'first-pass'] as const;
export const styles = { hidden: 0, shown: 1, terminal: 2 } as const;
