/**
 * What happens between two people, `{a}` and `{b}`, and what is then true of one of them. `{x}` is a thing. A reader
 * knows who is meant by what was done.
 */
export interface Role {
  readonly happened: string
  /** Continues the name of the person that is meant. */
  readonly aboutFirst: string
  readonly aboutSecond: string
}

const role = (happened: string, aboutFirst: string, aboutSecond: string): Role => ({
  happened,
  aboutFirst,
  aboutSecond,
})

export const roles: readonly Role[] = [
  role('{a} gave the soup to {b} because', 'had eaten enough.', 'was very hungry.'),
  role('{a} asked {b} for help because', 'could not do it alone.', 'was known to be strong.'),
  role('{a} lent the {x} to {b} because', 'had two of them.', 'had lost one.'),
  role('{a} thanked {b} because', 'had been given a present.', 'had been so kind.'),
  role('{a} paid {b} because', 'wanted the {x} mended.', 'had mended the {x}.'),
  role('{a} taught {b} a song because', 'knew all the words.', 'wanted to learn it.'),
  role('{a} followed {b} through the fog because', 'was lost.', 'knew the way.'),
  role('{a} visited {b} because', 'felt lonely at home.', 'was ill in bed.'),
  role('{a} sold the {x} to {b} because', 'needed the money.', 'had wished for one.'),
  role('{a} woke {b} before sunrise because', 'had heard a noise.', 'had slept too long.'),
  role('{a} scolded {b} because', 'was in a bad mood.', 'had dropped the {x}.'),
  role('{a} hid from {b} because', 'had broken the {x}.', 'looked angry.'),
]
