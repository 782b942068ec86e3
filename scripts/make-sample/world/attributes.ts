/**
 * What can be told of a person, an animal, a town or a trade. In the sentences `{s}` stands for the subject, `{S}` for
 * the subject at the start of a sentence (a name or a pronoun), `{v}` for the value.
 */
export interface Attribute {
  readonly name: string
  readonly values: readonly string[]
  readonly statements: readonly string[]
  readonly questions: readonly string[]
  /** Continues "Question:" in a yes or no question. */
  readonly asks: string
}

export type Kind = 'person' | 'animal' | 'town' | 'trade'

const attribute = (
  name: string,
  values: readonly string[],
  statements: readonly string[],
  questions: readonly string[],
  asks: string,
): Attribute => ({ name, values, statements, questions, asks })

const pets = [
  'a dog',
  'a cat',
  'a goat',
  'a parrot',
  'a hen',
  'a pony',
  'a rabbit',
  'a goose',
  'a ferret',
  'a tortoise',
  'an owl',
  'a donkey',
]
const foods = [
  'plum cake',
  'bean soup',
  'fried eel',
  'apple pie',
  'goat cheese',
  'barley bread',
  'roast duck',
  'mushroom stew',
  'pear jam',
  'pickled beets',
  'nut pudding',
  'leek pancakes',
]
const instruments = ['flute', 'fiddle', 'drum', 'harp', 'horn', 'lute', 'bagpipe', 'zither']
const colours = ['red', 'blue', 'green', 'yellow', 'grey', 'brown', 'white', 'black', 'purple', 'orange']
const habits = [
  'counts the stars',
  'collects shells',
  'carves whistles',
  'writes letters',
  'plays chess',
  'swims in the lake',
  'reads old maps',
  'climbs the hill',
  'feeds the birds',
  'sings in the choir',
]

const habitats = [
  'in the marsh',
  'in the pine forest',
  'on the high cliffs',
  'in the dry grassland',
  'along the river',
  'in the deep caves',
  'on the snowy peaks',
  'on the sandy shore',
]
const meals = ['beetles', 'acorns', 'snails', 'moss', 'small fish', 'berries', 'roots', 'seeds', 'worms', 'bark']
const coverings = ['thick fur', 'shiny scales', 'soft feathers', 'sharp spines', 'smooth skin', 'a hard shell']
const times = ['at dawn', 'at night', 'at noon', 'at dusk']
const nests = [
  'in a burrow',
  'in a hollow tree',
  'under flat stones',
  'in a nest of reeds',
  'in a mound of earth',
  'behind a waterfall',
]
const voices = [
  'a low hum',
  'a long whistle',
  'a sharp bark',
  'a soft croak',
  'a loud trumpet',
  'a quick chatter',
  'a deep growl',
  'a thin squeak',
]

const regions = [
  'by the sea',
  'in the hills',
  'in the forest',
  'beside a marsh',
  'on the wide plain',
  'under the mountains',
  'around a lake',
  'on an island',
]
const landmarks = [
  'a stone bridge',
  'a tall lighthouse',
  'a ruined castle',
  'a round tower',
  'a golden temple',
  'a frozen well',
  'a giant oak',
  'a covered market',
  'a windmill',
  'a marble arch',
  'a bell of bronze',
  'a glass dome',
]
const weathers = ['fog', 'strong wind', 'heavy snow', 'warm rain', 'thunder', 'clear sky', 'hail', 'dust storms']
const goods = [
  'lace',
  'silver spoons',
  'carpets',
  'pepper',
  'marble',
  'violins',
  'tea',
  'salt',
  'swords',
  'porcelain',
  'toys',
  'ink',
]
const feasts = ['in early spring', 'in midsummer', 'in late autumn', 'in the dead of winter']

/** The attributes of each kind; the values of `trade`, `town` and of trades are filled in by the world. */
export function attributesOf(kind: Kind, known: { trades: string[]; towns: string[]; of: (name: string) => string[] }) {
  return tables[kind](known)
}

type Known = Parameters<typeof attributesOf>[1]

const tables: Record<Kind, (known: Known) => Attribute[]> = {
  person: ({ trades, towns }) => [
    attribute(
      'trade',
      trades,
      ['{S} is a {v}.', '{S} works as a {v}.', '{S} earns a living as a {v}.'],
      ['What is the trade of {s}?', 'What does {s} work as?'],
      'is {s} a {v}',
    ),
    attribute(
      'town',
      towns,
      ['{S} lives in {v}.', '{S} has a house in {v}.', '{S} comes from {v}.'],
      ['In which town does {s} live?', 'Where is the home of {s}?'],
      'does {s} live in {v}',
    ),
    attribute(
      'pet',
      pets,
      ['{S} keeps {v}.', '{S} owns {v}.', '{S} has {v} at home.'],
      ['Which animal does {s} keep?', 'What is the pet of {s}?'],
      'does {s} keep {v}',
    ),
    attribute(
      'food',
      foods,
      ['{S} likes {v} best.', '{S} loves to eat {v}.', '{S} would walk a mile for {v}.'],
      ['What does {s} like to eat best?', 'What is the favourite dish of {s}?'],
      'does {s} like {v} best',
    ),
    attribute(
      'instrument',
      instruments,
      ['{S} plays the {v}.', '{S} practises on the {v}.', '{S} never travels without the {v}.'],
      ['Which instrument does {s} play?', 'On what does {s} make music?'],
      'does {s} play the {v}',
    ),
    attribute(
      'coat',
      colours,
      ['{S} wears a coat of {v}.', '{S} has a coat that is {v}.', '{S} goes out in a coat of {v}.'],
      ['What colour is the coat of {s}?', 'Which colour does {s} wear?'],
      'does {s} wear a coat of {v}',
    ),
    attribute(
      'habit',
      habits,
      ['On holidays {s} {v}.', 'When work is done, {s} {v}.', 'On a free day {s} {v}.'],
      ['What does {s} do on holidays?', 'How does {s} spend a free day?'],
      'is it true that on holidays {s} {v}',
    ),
  ],
  animal: () => [
    attribute(
      'habitat',
      habitats,
      ['{S} lives {v}.', '{S} is found {v}.', '{S} makes its tracks {v}.'],
      ['Where does {s} live?', 'Where can you find {s}?'],
      'does {s} live {v}',
    ),
    attribute(
      'meal',
      meals,
      ['{S} eats {v}.', '{S} feeds on {v}.', '{S} hunts for {v} all year.'],
      ['What does {s} eat?', 'Which food does {s} look for?'],
      'does {s} eat {v}',
    ),
    attribute(
      'covering',
      coverings,
      ['{S} is covered by {v}.', '{S} has {v}.', '{S} is kept warm by {v}.'],
      ['What covers the body of {s}?', 'What does {s} have on its body?'],
      'does {s} have {v}',
    ),
    attribute(
      'time',
      times,
      ['{S} is awake {v}.', '{S} comes out {v}.', '{S} looks for food {v}.'],
      ['When is {s} awake?', 'When does {s} come out?'],
      'does {s} come out {v}',
    ),
    attribute(
      'nest',
      nests,
      ['{S} raises its young {v}.', '{S} sleeps {v}.', '{S} hides {v}.'],
      ['Where does {s} sleep?', 'Where does {s} raise its young?'],
      'does {s} sleep {v}',
    ),
    attribute(
      'voice',
      voices,
      ['{S} calls with {v}.', '{S} greets others with {v}.', '{S} warns its young with {v}.'],
      ['Which sound does {s} make?', 'How does {s} call?'],
      'does {s} call with {v}',
    ),
  ],
  town: () => [
    attribute(
      'region',
      regions,
      ['{S} lies {v}.', '{S} was built {v}.', '{S} is a town {v}.'],
      ['Where does {s} lie?', 'Where was {s} built?'],
      'does {s} lie {v}',
    ),
    attribute(
      'landmark',
      landmarks,
      ['{S} has {v}.', '{S} is proud of {v}.', '{S} is known from afar by {v}.'],
      ['What can visitors see in {s}?', 'What is {s} proud of?'],
      'does {s} have {v}',
    ),
    attribute(
      'weather',
      weathers,
      ['{S} is used to {v}.', '{S} often has {v}.', '{S} is famous for {v}.'],
      ['What weather is common in {s}?', 'Which weather does {s} often have?'],
      'does {s} often have {v}',
    ),
    attribute(
      'goods',
      goods,
      ['{S} sells {v}.', '{S} grew rich with {v}.', '{S} trades in {v}.'],
      ['What does {s} sell?', 'With what did {s} grow rich?'],
      'does {s} sell {v}',
    ),
    attribute(
      'feast',
      feasts,
      ['{S} holds its feast {v}.', '{S} dances in the streets {v}.', '{S} is full of guests {v}.'],
      ['When does {s} hold its feast?', 'When is {s} full of guests?'],
      'does {s} hold its feast {v}',
    ),
  ],
  trade: ({ of }) => [
    attribute(
      'makes',
      of('makes'),
      ['{S} makes {v}.', '{S} is paid for {v}.', '{S} goes to market with {v}.'],
      ['What does {s} make?', 'With what does {s} go to market?'],
      'does {s} make {v}',
    ),
    attribute(
      'tool',
      of('tool'),
      ['{S} uses the {v}.', '{S} works with the {v}.', '{S} takes good care of the {v}.'],
      ['Which tool does {s} use?', 'What does {s} work with?'],
      'does {s} use the {v}',
    ),
    attribute(
      'place',
      of('place'),
      ['{S} works in the {v}.', '{S} spends the day in the {v}.', '{S} sweeps the {v} every evening.'],
      ['Where does {s} work?', 'Where does {s} spend the day?'],
      'does {s} work in the {v}',
    ),
    attribute(
      'material',
      of('material'),
      ['{S} needs {v}.', '{S} buys {v}.', '{S} never has enough {v}.'],
      ['What does {s} need for the work?', 'What does {s} buy?'],
      'does {s} buy {v}',
    ),
  ],
}

/** What a person has through the trade or the town: two facts must be joined to answer. */
export interface Joined {
  readonly through: 'trade' | 'town'
  readonly name: string
  readonly statements: readonly string[]
  readonly questions: readonly string[]
}

const joined = (through: Joined['through'], name: string, statements: string[], questions: string[]): Joined => ({
  through,
  name,
  statements,
  questions,
})

export const joinedAttributes: readonly Joined[] = [
  joined('trade', 'makes', ['In the market {s} offers {v}.'], ['What does {s} offer in the market?']),
  joined('trade', 'tool', ['The hands of {s} know the {v} well.'], ['Which tool do the hands of {s} know well?']),
  joined('trade', 'place', ['Every morning {s} goes to the {v}.'], ['Where does {s} go every morning?']),
  joined('trade', 'material', ['Carts bring {v} to {s}.'], ['What do carts bring to {s}?']),
  joined('town', 'region', ['The house of {s} stands {v}.'], ['Where does the house of {s} stand?']),
  joined('town', 'landmark', ['The children of {s} play near {v}.'], ['What do the children of {s} play near?']),
  joined('town', 'weather', ['The roof of {s} has to bear {v}.'], ['Which weather does the roof of {s} have to bear?']),
  joined('town', 'goods', ['The neighbours of {s} deal in {v}.'], ['In what do the neighbours of {s} deal?']),
]
