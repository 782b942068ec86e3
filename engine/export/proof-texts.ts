/** Texts that a proof is taken on: prose, speech, numbers, code and other scripts, so that many tokens come up. */
export const proofTexts: readonly string[] = [
  'The lighthouse keeper climbed the stairs every evening, lit the lamp, and wrote down how many ships had passed. In forty years he had missed two nights: once for a storm that broke the door, and once for the birth of his daughter.',
  '"Where did you put the keys?" asked Anna. "On the table, next to the letter," her brother said, "but the letter is gone too." They looked at each other, and then at the open window.',
  'Water boils at 100 degrees Celsius at sea level and at about 93 degrees on a mountain of 2,000 metres, since the pressure of the air is lower there. That is why pasta takes longer in the Alps.',
  'function total(prices) {\n  let sum = 0;\n  for (const price of prices) sum += price.amount * (1 + price.tax / 100);\n  return Math.round(sum * 100) / 100;\n}\n',
  'Once upon a time there was a small fox who did not like the rain. One day she found a big leaf. "Now I can go out," she said, and she went to see her friend the owl. They were both very happy.',
  'Der Zug nach Wien fährt um 7:42 Uhr von Gleis 3 ab. La réunion est reportée à jeudi, à quinze heures. El mercado abre los sábados. Привет, как дела? 今日は天気がいいですね。',
  '1. Heat the oven to 180 degrees. 2. Mix 250 g of flour, 3 eggs and a pinch of salt. 3. Bake for 35 minutes. 4. Let it cool before you cut it.',
  'The committee published its report on Monday. It finds that rents rose by 4.8 % in a year, faster than wages (2.1 %), and that most new flats were built outside the cities.',
]
