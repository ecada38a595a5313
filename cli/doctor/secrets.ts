import { lookAtSecrets } from './configured.ts';
import { type Check, finding, notChecked, orGood } from './contract.ts';

/** Where seeds, recovery keys and links are displayed. */
export const secretsCheck: Check = {
  id: 'secrets',
  what: 'secrets, recovery keys and links are shown only to the user',
  async run(machine) {
    const read = await machine.config();
    if (read.kind !== 'good') return [notChecked('where secrets are shown', 'see the configuration')];
    const findings = read.config.secretsIn.map((service) =>
      finding(
        'secrets.shown',
        `secrets_in names ${service}: seeds, recovery keys and links are shown there`,
        'make sure that it writes none of what it shows into a log, or take it out of secrets_in; then sallyport reload',
      ),
    );
    return orGood(
      [...findings, ...lookAtSecrets(machine, read.config)],
      'seeds, recovery keys and links are shown over ssh and at terminals, nowhere else',
    );
  },
};
