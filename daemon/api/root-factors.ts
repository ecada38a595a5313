/** Why nobody else changes the factors of root: the command and the portal say it in these words. */
export const rootFactorsText = 'the factors of root are changed only by root, at the machine';
