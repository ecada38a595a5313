import { exits } from '../daemon/lib/program.ts';
import { forms, options } from '../daemon/runtime/usage.ts';
import { bold, lines, pageHead, tagged, text } from './mdoc.ts';
import { filesSection, seeAlsoSection } from './sections.ts';
import { environment, signals } from './text.ts';

/** sallyportd(8), out of the table that its --help is made of. */
export function daemonPage(date: string): string {
  return lines([
    pageHead({
      title: 'sallyportd',
      section: 8,
      date,
      names: ['sallyportd'],
      about: 'decides about second factors, and verifies them',
    }),
    '.Sh SYNOPSIS',
    ...forms.flatMap((form) => ['.Nm', text(form)]),
    '.Sh DESCRIPTION',
    text(
      'sallyportd answers pam_sallyport.so on its sockets for logins, and sallyport and the portal on its control socket. It runs under a separate account, without root, and holds the master key and the store. As a service it is started by systemd, whose sockets let logins wait while it starts.',
    ),
    tagged(options.map(({ flags, about }) => [bold(flags), text(sentence(about))])),
    '.Sh ENVIRONMENT',
    tagged(environment.map(([name, about]) => [`Ev ${name}`, text(about)])),
    filesSection(),
    '.Sh EXIT STATUS',
    tagged([
      [String(exits.done), 'done, or stopped as it was asked to'],
      [String(exits.failed), text('it cannot do its work: the last line says why, and what to do')],
      [String(exits.usage), 'usage'],
      [String(exits.config), 'configuration'],
    ]),
    '.Sh SIGNALS',
    tagged(signals.map(([name, about]) => [name, text(about)])),
    seeAlsoSection('sallyportd'),
  ]);
}

function sentence(about: string): string {
  return `${about.slice(0, 1).toUpperCase()}${about.slice(1)}.`;
}
