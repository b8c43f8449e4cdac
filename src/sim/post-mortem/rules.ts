// Whose rules this build plays the story by. Ceph's are patches beside this file (rules-ceph.ts), which are applied to a
// scratch copy of the sources and change this word, too: the product itself has no switch.

export type Rules = 'holdfast' | 'ceph';

export const rules: Rules = 'holdfast' as Rules;
