/** What things are made of, what becomes of them, and how people look after them. */

export const objectsByMaterial = {
  glass: ['bottle', 'vase', 'goblet', 'mirror', 'lens', 'bead', 'flask', 'prism'],
  clay: ['jug', 'brick', 'tile', 'pot', 'bowl', 'crock', 'urn', 'pitcher'],
  paper: ['letter', 'map', 'kite', 'book', 'fan', 'poster', 'card', 'notebook'],
  wool: ['scarf', 'blanket', 'sock', 'mitten', 'shawl', 'rug', 'cap', 'sweater'],
  wood: ['chair', 'ladder', 'spoon', 'barrel', 'oar', 'stool', 'crate', 'bench'],
  iron: ['nail', 'kettle', 'anvil', 'horseshoe', 'key', 'chain', 'gate', 'hinge'],
  wax: ['candle', 'seal', 'crayon', 'taper', 'honeycomb', 'figurine'],
  stone: ['statue', 'millstone', 'doorstep', 'pillar', 'whetstone', 'slab', 'fountain', 'sundial'],
  leather: ['boot', 'saddle', 'belt', 'glove', 'purse', 'satchel', 'strap', 'apron'],
  straw: ['hat', 'basket', 'mat', 'broom', 'bale', 'scarecrow'],
} as const

export type Material = keyof typeof objectsByMaterial

export const materials = Object.keys(objectsByMaterial) as Material[]

/** What a thing does in an event: after "will", and told afterwards. */
export interface Outcome {
  readonly will: string
  readonly did: string
}

export interface Event {
  readonly name: string
  /** Continues "If the key ...". */
  readonly happens: string
  /** Continues "The key and the hat ...". */
  readonly happened: string
  readonly outcomes: Readonly<Record<Material, Outcome>>
}

const outcome = (will: string, did: string): Outcome => ({ will, did })

const breaks = outcome('break into small pieces', 'broke into small pieces')
const dents = outcome('leave a deep dent in the floor', 'left a deep dent in the floor')
const landsSoftly = outcome('land without a sound', 'landed without a sound')
const bounces = outcome('bounce and stay whole', 'bounced and stayed whole')

const burns = outcome('catch fire and burn to ash', 'caught fire and burned to ash')
const heats = outcome('grow too hot to touch', 'grew too hot to touch')
const melts = outcome('melt into a soft pool', 'melted into a soft pool')
const shrinks = outcome('shrink and smell bad', 'shrank and smelled bad')

const rusts = outcome('turn red with rust', 'turned red with rust')
const fallsApart = outcome('go soft and fall apart', 'went soft and fell apart')
const growsHeavy = outcome('soak up water and grow heavy', 'soaked up water and grew heavy')
const warps = outcome('swell and bend', 'swelled and bent')
const stiffens = outcome('dry out stiff and hard', 'dried out stiff and hard')
const rots = outcome('begin to rot', 'began to rot')
const needsAWipe = outcome('be as good as before', 'was as good as before')

const floats = outcome('float on the water', 'floated on the water')
const sinks = outcome('sink to the bottom', 'sank to the bottom')
const drifts = outcome('drift under the water', 'drifted under the water')

const isPulled = outcome('jump to the lodestone', 'jumped to the lodestone')
const liesStill = outcome('lie still', 'lay still')

const letsLightThrough = outcome('let the light through', 'let the light through')
const glows = outcome('glow faintly', 'glowed faintly')
const shades = outcome('throw a dark shadow', 'threw a dark shadow')

export const events: readonly Event[] = [
  {
    name: 'fall',
    happens: 'falls from a high shelf',
    happened: 'fell from a high shelf',
    outcomes: {
      glass: breaks,
      clay: breaks,
      paper: landsSoftly,
      wool: landsSoftly,
      wood: bounces,
      iron: dents,
      wax: bounces,
      stone: dents,
      leather: landsSoftly,
      straw: landsSoftly,
    },
  },
  {
    name: 'fire',
    happens: 'is left beside the fire',
    happened: 'were left beside the fire',
    outcomes: {
      glass: heats,
      clay: heats,
      paper: burns,
      wool: shrinks,
      wood: burns,
      iron: heats,
      wax: melts,
      stone: heats,
      leather: shrinks,
      straw: burns,
    },
  },
  {
    name: 'rain',
    happens: 'stays out in the rain for weeks',
    happened: 'stayed out in the rain for weeks',
    outcomes: {
      glass: needsAWipe,
      clay: needsAWipe,
      paper: fallsApart,
      wool: growsHeavy,
      wood: warps,
      iron: rusts,
      wax: needsAWipe,
      stone: needsAWipe,
      leather: stiffens,
      straw: rots,
    },
  },
  {
    name: 'pond',
    happens: 'drops into the pond',
    happened: 'dropped into the pond',
    outcomes: {
      glass: sinks,
      clay: sinks,
      paper: drifts,
      wool: drifts,
      wood: floats,
      iron: sinks,
      wax: floats,
      stone: sinks,
      leather: drifts,
      straw: floats,
    },
  },
  {
    name: 'lodestone',
    happens: 'lies next to a lodestone',
    happened: 'lay next to a lodestone',
    outcomes: {
      glass: liesStill,
      clay: liesStill,
      paper: liesStill,
      wool: liesStill,
      wood: liesStill,
      iron: isPulled,
      wax: liesStill,
      stone: liesStill,
      leather: liesStill,
      straw: liesStill,
    },
  },
  {
    name: 'lamp',
    happens: 'stands before a bright lamp',
    happened: 'stood before a bright lamp',
    outcomes: {
      glass: letsLightThrough,
      clay: shades,
      paper: glows,
      wool: shades,
      wood: shades,
      iron: shades,
      wax: glows,
      stone: shades,
      leather: shades,
      straw: shades,
    },
  },
]

/** A thing that people do with objects: how each material wants it done. `{x}` stands for the object. */
export interface Care {
  readonly name: string
  /** Continues "How do you" and "To". */
  readonly goal: string
  readonly ways: Readonly<Record<Material, string>>
}

export const cares: readonly Care[] = [
  {
    name: 'clean',
    goal: 'clean a dirty {x}',
    ways: {
      glass: 'Wipe the {x} with vinegar and a soft cloth.',
      clay: 'Rinse the {x} with warm water and soap.',
      paper: 'Brush the dust from the {x} with a feather.',
      wool: 'Wash the {x} in cool water and dry it flat.',
      wood: 'Rub the {x} with a cloth and some linseed oil.',
      iron: 'Scrub the {x} with dry sand until it shines.',
      wax: 'Wipe the {x} gently with a cold, wet cloth.',
      stone: 'Scour the {x} with a stiff brush and lye.',
      leather: 'Polish the {x} with grease and a soft rag.',
      straw: 'Shake the {x} outside and beat out the dust.',
    },
  },
  {
    name: 'mend',
    goal: 'mend a damaged {x}',
    ways: {
      glass: 'Send the {x} to be melted and blown again.',
      clay: 'Join the pieces of the {x} with fish glue.',
      paper: 'Paste a thin strip over the tear in the {x}.',
      wool: 'Darn the hole in the {x} with a bit of yarn.',
      wood: 'Fit a new peg into the {x} and sand it down.',
      iron: 'Heat the {x} in the forge and hammer it.',
      wax: 'Warm the {x} in your hands and press it together.',
      stone: 'Fill the crack in the {x} with lime mortar.',
      leather: 'Sew the {x} with an awl and strong thread.',
      straw: 'Weave a few new stalks into the {x}.',
    },
  },
  {
    name: 'keep',
    goal: 'keep a {x} safe for the winter',
    ways: {
      glass: 'Pack the {x} in sawdust so that nothing can hit it.',
      clay: 'Put the {x} on a low shelf away from the frost.',
      paper: 'Lay the {x} flat in a dry and dark drawer.',
      wool: 'Fold the {x} with cedar chips against the moths.',
      wood: 'Stand the {x} in the barn away from the stove.',
      iron: 'Coat the {x} with oil to hold off the damp.',
      wax: 'Leave the {x} in the cool cellar far from any heat.',
      stone: 'Cover the {x} with planks so that ice cannot crack it.',
      leather: 'Stuff the {x} with rags to help it hold its shape.',
      straw: 'Hang the {x} from the rafters where no mouse can go.',
    },
  },
  {
    name: 'make',
    goal: 'make a new {x}',
    ways: {
      glass: 'Melt sand in the furnace and blow the {x}.',
      clay: 'Shape the {x} on the wheel and fire it in the kiln.',
      paper: 'Press pulp into sheets and cut the {x} from them.',
      wool: 'Spin the fleece into yarn and knit the {x}.',
      wood: 'Saw some planks and nail the {x} together.',
      iron: 'Hammer a glowing bar into the {x} on the anvil.',
      wax: 'Pour what the bees made into a mould for the {x}.',
      stone: 'Carve the {x} from a block with a chisel.',
      leather: 'Cut the tanned hide and stitch the {x}.',
      straw: 'Dry the stalks of the harvest and plait the {x}.',
    },
  },
  {
    name: 'mark',
    goal: 'put your name on a {x}',
    ways: {
      glass: 'Scratch your name into the {x} with a diamond.',
      clay: 'Brush your name onto the {x} with glaze.',
      paper: 'Write your name on the {x} with a quill.',
      wool: 'Embroider your name on the {x} in bright thread.',
      wood: 'Burn your name into the {x} with a hot wire.',
      iron: 'Etch your name into the {x} with strong vinegar.',
      wax: 'Press your name into the {x} with a warm stamp.',
      stone: 'Chip your name into the {x} with a mallet.',
      leather: 'Punch your name into the {x} with small dies.',
      straw: 'Tie a wooden tag with your name to the {x}.',
    },
  },
]
