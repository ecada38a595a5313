/**
 * The Debian packages that the commands need beyond Node, each with its reason (docs/explanation/dependencies.md has more).
 * `purpose` is for people on other systems, `file` what shows there that it is installed; null: nothing does.
 */
const building = [
  { name: 'python3', why: 'node-gyp runs on it', purpose: 'Python 3', file: '/usr/bin/python3' },
  { name: 'make', why: 'builds the native parts', purpose: 'GNU make', file: '/usr/bin/make' },
  { name: 'g++', why: 'compiles the native parts', purpose: 'a C and C++ compiler', file: '/usr/bin/g++' },
  {
    name: 'libpam0g-dev',
    why: "the PAM module is built against libpam's headers",
    purpose: 'the headers of Linux-PAM (pam-devel, linux-pam)',
    file: '/usr/include/security/pam_modules.h',
  },
  {
    name: 'libfido2-dev',
    why: 'the helper for security keys is built on libfido2',
    purpose: 'the headers of libfido2 (libfido2-devel, libfido2)',
    file: '/usr/include/fido.h',
  },
];

/** Programs that Sallyport imports from and is compared with. */
const peers = [
  {
    name: 'libpam-oath',
    why: 'a module to compare with, and to move over from',
    purpose: 'pam_oath',
    file: null,
  },
  {
    name: 'libpam-google-authenticator',
    why: 'a module to compare with, and to move over from',
    purpose: 'pam_google_authenticator',
    file: '/usr/bin/google-authenticator',
  },
];

const packing = [
  {
    name: 'dpkg-dev',
    why: 'names the libraries that the native parts need, and the machine that they are for',
    purpose: 'dpkg and dpkg-dev: a Debian package is built on Debian',
    file: '/usr/bin/dpkg-shlibdeps',
  },
];

const testing = [
  {
    name: 'openssh-server',
    why: 'logins through a real sshd; it is not started now, but Debian enables it for the next boot',
    purpose: "OpenSSH's server",
    file: '/usr/sbin/sshd',
  },
  { name: 'sudo', why: 'logins through a real sudo', purpose: 'sudo', file: '/usr/bin/sudo' },
  { name: 'expect', why: 'types at terminals', purpose: 'expect', file: '/usr/bin/expect' },
  { name: 'login', why: 'login(1) and su(1)', purpose: 'login and su', file: '/bin/login' },
  { name: 'util-linux', why: 'private namespaces', purpose: 'unshare, setpriv', file: '/usr/bin/unshare' },
  { name: 'iproute2', why: 'the network of those namespaces', purpose: 'ip', file: '/sbin/ip' },
  {
    name: 'e2fsprogs',
    why: 'the file system of the power cut',
    purpose: 'mkfs.ext4',
    file: '/sbin/mkfs.ext4',
  },
  { name: 'strace', why: 'makes system calls fail', purpose: 'strace', file: '/usr/bin/strace' },
  { name: 'clang', why: 'the fuzzers and sanitizers', purpose: 'clang', file: '/usr/bin/clang' },
  {
    name: 'llvm',
    why: 'names the lines in their reports',
    purpose: 'llvm-symbolizer',
    file: '/usr/bin/llvm-symbolizer',
  },
  { name: 'libclang-rt-dev', why: 'their runtime', purpose: "clang's compiler-rt", file: null },
  { name: 'faketime', why: 'clocks that are set back', purpose: 'libfaketime', file: '/usr/bin/faketime' },
  { name: 'age', why: 'opens backups, as the tool of others', purpose: 'age', file: '/usr/bin/age' },
  { name: 'oathtool', why: 'a second opinion on codes', purpose: 'oathtool', file: '/usr/bin/oathtool' },
  {
    name: 'openssl',
    why: 'certificates for servers of the tests',
    purpose: 'openssl',
    file: '/usr/bin/openssl',
  },
  {
    name: 'libssl-dev',
    why: 'a security key in software, for ssh',
    purpose: 'the headers of OpenSSL',
    file: '/usr/include/openssl/evp.h',
  },
  {
    name: 'chromium',
    why: 'opens the pages of the portal, with a security key in software',
    purpose: 'Chromium',
    file: '/usr/bin/chromium',
  },
  { name: 'tmux', why: 'a terminal with cells, for what is seen', purpose: 'tmux', file: '/usr/bin/tmux' },
  { name: 'zbar-tools', why: 'reads QR codes', purpose: 'zbarimg', file: '/usr/bin/zbarimg' },
  {
    name: 'dropbear-bin',
    why: "a client of ssh that is not OpenSSH's",
    purpose: 'dbclient',
    file: '/usr/bin/dbclient',
  },
  { name: 'mandoc', why: 'reads the manual pages', purpose: 'mandoc', file: '/usr/bin/mandoc' },
  { name: 'zsh', why: 'completes commands', purpose: 'zsh', file: '/bin/zsh' },
  { name: 'fish', why: 'completes commands', purpose: 'fish', file: '/usr/bin/fish' },
  ...peers,
  {
    name: 'fail2ban',
    why: 'reads the lines of the audit trail; it is not started now, but Debian enables it for the next boot',
    purpose: 'fail2ban-regex',
    file: '/usr/bin/fail2ban-regex',
  },
];

const takingLong = [
  {
    name: 'cockpit-ws',
    why: 'a program that writes into its log what PAM modules show; it is not started now, but Debian enables it for the next boot',
    purpose: 'Cockpit',
    file: '/usr/lib/cockpit/cockpit-ws',
  },
  { name: 'cockpit-bridge', why: 'the other half of Cockpit', purpose: 'cockpit-bridge', file: null },
  { name: 'lintian', why: 'faults of the Debian package', purpose: 'lintian', file: '/usr/bin/lintian' },
  {
    name: 'mmdebstrap',
    why: 'Debian systems whose systemd is booted',
    purpose: 'mmdebstrap',
    file: '/usr/bin/mmdebstrap',
  },
  {
    name: 'yubiserver',
    why: 'a validation server for YubiKeys; it is not started now, but Debian enables it for the next boot',
    purpose: 'yubiserver',
    file: '/usr/bin/yubiserver',
  },
  { name: 'putty-tools', why: 'clients of ssh', purpose: 'plink, pscp', file: '/usr/bin/plink' },
  { name: 'python3-paramiko', why: 'a client of ssh', purpose: 'Paramiko', file: null },
  { name: 'lftp', why: 'a client of sftp', purpose: 'lftp', file: '/usr/bin/lftp' },
  { name: 'curl', why: 'a client of sftp', purpose: 'curl', file: '/usr/bin/curl' },
  { name: 'sshpass', why: 'answers the prompt of ssh', purpose: 'sshpass', file: '/usr/bin/sshpass' },
  { name: 'sshfs', why: 'a client of sftp', purpose: 'sshfs', file: '/usr/bin/sshfs' },
  {
    name: 'ansible-core',
    why: 'administers machines over ssh',
    purpose: 'Ansible',
    file: '/usr/bin/ansible',
  },
];

const comparing = [
  { name: 'oathtool', why: 'codes for the comparison', purpose: 'oathtool', file: '/usr/bin/oathtool' },
  ...peers,
];

/** What each command needs. */
export const packagesFor = {
  start: building,
  test: [...building, ...packing, ...testing],
  long: [...building, ...packing, ...testing, ...takingLong],
  bench: [...building, ...comparing],
  package: [...building, ...packing],
};
