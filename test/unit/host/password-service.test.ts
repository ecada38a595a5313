import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decidesByShadow, shadowDecides } from '../../../daemon/host/password-service.ts';
import { projectRoot } from '../../support/project.ts';

/**
 * Whether /etc/shadow contains the only password of an account of /etc/passwd, according to the helper's service file.
 */

const shipped = readFileSync(join(projectRoot, 'pam-config/pam.d/sallyport-password'), 'utf8');
const withDirectory = shipped.replace(/^#((?:auth|account) )/gm, '$1');
const unix = 'auth sufficient pam_unix.so nodelay\n';

describe('the service of the password helper', () => {
  for (const [what, text] of Object.entries({
    'as shipped': shipped,
    'as shipped, with the lines for a directory': withDirectory,
    'of one line': 'auth required pam_unix.so\n',
    'with other parts that ask elsewhere': `${unix}account required pam_sss.so\nauth required pam_deny.so\n`,
    'with a dash, tabs and no newline': '-auth\trequired\tpam_unix.so',
  }))
    it(`decides by shadow ${what}`, () => assert.equal(shadowDecides(text), true));

  for (const [what, text] of Object.entries({
    'it is empty': '',
    'it has comments only': '# auth required pam_unix.so\n',
    'it asks a directory': `${unix}auth sufficient pam_sss.so use_first_pass\n`,
    'it asks Kerberos first': `auth sufficient pam_krb5.so\n${unix}`,
    'a module has a path': 'auth required /usr/lib/security/pam_unix.so\n',
    'it includes another file': `${unix}@include common-auth\n`,
    'it includes another service': `${unix}auth include system-auth\n`,
    'it has a substack': `auth substack system-auth\n${unix}`,
    'the guard skips too little': withDirectory.replace(/^auth +sufficient +pam_sss.so.*$/m, '$&\n$&'),
    'the guard has another control': withDirectory.replace('default=ignore', 'default=die'),
    'it skips in another way': `auth [success=1 default=ignore] pam_unix.so\nauth required pam_deny.so\n`,
    'a line goes on in the next one': 'auth required \\\n  pam_unix.so\n',
    'its last words are cut off by a backslash': 'auth sufficient pam_unix.so \\\nauth required pam_sss.so\n',
    'it asks nothing': 'auth required pam_deny.so\n',
    'it is no PAM file': 'hello\n',
  }))
    it(`does not decide by shadow where ${what}`, () => assert.equal(shadowDecides(text), false));

  it('is the first file that PAM would use, and unknown if it cannot be read', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-service-'));
    const [first, second, third] = ['a', 'b', 'c'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [first, second, third]) mkdirSync(each);
    assert.equal(await decidesByShadow([first, second]), false);
    writeFileSync(join(second, 'sallyport-password'), unix);
    assert.equal(await decidesByShadow([first, second]), true);
    writeFileSync(join(first, 'sallyport-password'), 'auth required pam_sss.so\n');
    assert.equal(await decidesByShadow([first, second]), false);
    mkdirSync(join(third, 'sallyport-password'));
    assert.equal(await decidesByShadow([third, second]), false);
    rmSync(directory, { recursive: true });
  });
});
