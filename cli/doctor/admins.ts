import { type Check, finding, notChecked, orGood } from './contract.ts';
import { groupNamed } from './names.ts';

/** Lists the administrators besides root. */
export const adminsCheck: Check = {
  id: 'administrators',
  what: 'which accounts are administrators besides root',
  async run(machine) {
    const read = await machine.config();
    if (read.kind !== 'good')
      return [notChecked('which group contains the administrators', 'see the configuration')];
    const { adminGroup } = read.config;
    const group = await groupNamed(machine, adminGroup);
    if (group.kind === 'unknown')
      return [notChecked(`which accounts are in ${adminGroup}`, `getent group ${adminGroup}`)];
    const members = group.kind === 'found' ? group.value.members : [];
    if (members.length === 0) {
      const why = group.kind === 'gone' ? 'does not exist' : 'has no member';
      const make = group.kind === 'gone' ? `groupadd --system ${adminGroup}; ` : '';
      const fix = `to add administrators: ${make}usermod -aG ${adminGroup} NAME`;
      return [finding('admin.only-root', `the group ${adminGroup} ${why}`, fix)];
    }
    return orGood([], `root, and ${members.join(', ')} (group ${adminGroup})`);
  },
};
