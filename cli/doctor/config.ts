import { pluralise } from '../../daemon/lib/units.ts';
import { lookAtSettings } from './configured.ts';
import { type Check, type Finding, finding, notChecked, orGood } from './contract.ts';

/** The configuration file, and whether it is the active one. */
export const configCheck: Check = {
  id: 'configuration',
  what: 'the file is valid and active',
  async run(machine) {
    const file = machine.configFile;
    const [read, status, entry] = await Promise.all([
      machine.config(),
      machine.status(),
      machine.files.look(file),
    ]);
    switch (read.kind) {
      case 'absent':
        return [finding('config.missing', `there is no ${file}`, 'restore it, or run: sallyport init')];
      case 'unseen':
        return [notChecked(read.why)];
      case 'bad':
        return [await bad(read.problems, read.paths.lastGood)];
      case 'good':
        break;
    }
    const findings: Finding[] = [...lookAtSettings(read.config)];
    if (!status.ok)
      return [
        ...findings,
        notChecked(`${file} is valid; only sallyportd can report whether it is active`, 'see the daemon'),
      ];
    const { problem, loaded } = status.value.config;
    if (problem !== undefined)
      findings.push(
        finding('config.not-in-force', problem, 'sallyport reload, or systemctl restart sallyportd'),
      );
    else if ('changed' in entry && entry.changed > loaded + 1_000)
      findings.push(
        finding('config.not-loaded', `${file} was changed after it was loaded`, 'sallyport reload'),
      );
    return orGood(findings, `${file} is valid: ${pluralise(read.config.realms.length, 'realm')}`);

    async function bad(problems: readonly string[], lastGood: string): Promise<Finding> {
      const what = problems.join('\n');
      const fix = `correct those lines, then: sallyport realm check && sallyport reload`;
      const hasNoFallback = !status.ok && (await machine.files.look(lastGood)).kind === 'absent';
      return finding(hasNoFallback ? 'config.no-fallback' : 'config.invalid', what, fix);
    }
  },
};
