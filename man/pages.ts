import type { World } from '../cli/lib/environment.ts';
import { programOf } from '../cli/program.ts';
import { cliPage } from './cli-page.ts';
import { daemonPage } from './daemon-page.ts';
import { docsPage } from './docs-page.ts';

/** Every manual page, by the name of its file. */
export function manualPages(root: string, world: World, date: string): ReadonlyMap<string, string> {
  return new Map([
    ['sallyport.8', cliPage(programOf(world).program, date)],
    ['sallyportd.8', daemonPage(date)],
    [
      'sallyport.toml.5',
      docsPage(root, 'reference/configuration.md', {
        title: 'sallyport.toml',
        section: 5,
        date,
        names: ['sallyport.toml'],
        about: 'the configuration of Sallyport: realms, rules and everything else',
        synopsis: ['.Pa /etc/sallyport/sallyport.toml'],
      }),
    ],
    [
      'pam_sallyport.8',
      docsPage(root, 'reference/pam-module.md', {
        title: 'pam_sallyport',
        section: 8,
        date,
        names: ['pam_sallyport'],
        about: 'asks sallyportd for the second factor of a login',
        synopsis: ['.Cm auth', '.Ar control', '.Nm pam_sallyport.so', '.Op Ar options'],
      }),
    ],
  ]);
}
