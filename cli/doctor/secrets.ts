import { lookAtSecrets } from './configured.ts';
import { type Check, finding, notChecked, orGood } from './contract.ts';

/** Where seeds, recovery keys and links are displayed. */
export const secretsCheck: Check = {
  id: 'secrets',
  what: 'secrets, recovery keys and links are shown only to the user',
  async run(machine) {
    const read = await machine.config();
    if (read.kind !== 'good') return [notChecked('which services show secrets', 'see the configuration')];
    const findings = read.config.secretsIn.map((service) =>
      finding(
        'secrets.shown',
        `secrets_in names ${service}: it shows seeds, recovery keys and links`,
        'make sure that it logs nothing that it shows, or remove it from secrets_in, then: sallyport reload',
      ),
    );
    return orGood(
      [...findings, ...lookAtSecrets(machine, read.config)],
      'seeds, recovery keys and links are shown only over ssh and at terminals',
    );
  },
};
