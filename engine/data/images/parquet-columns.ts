import type { SchemaTree } from 'hyparquet'
import { z } from 'zod'
import { badFile } from '../../shared/errors.ts'
import { parseJsonOrNull } from '../../shared/files.ts'
import { openFileHandle } from '../../shared/open-file.ts'
import { openParquet } from '../parquet-file.ts'

/** Where images and their classes stand in a Parquet file. */
export interface ImageColumns {
  image: string
  /** Whether an image is a struct of bytes and path; bytes alone otherwise. */
  isStruct: boolean
  label: string
  /** Names of the classes, where the file has them beside its schema. */
  names: readonly string[] | null
}

/** What the library of the Hub leaves beside the schema, under "huggingface". */
const features = z.looseObject({
  info: z.looseObject({
    features: z.record(
      z.string(),
      z
        .looseObject({ _type: z.string().optional(), names: z.array(z.string()).optional() })
        .transform((feature) => ({ kind: feature['_type'], names: feature.names })),
    ),
  }),
})
type Features = z.infer<typeof features>['info']['features']

/** Usual names of columns, best first: CIFAR-100 has "fine_label" beside "coarse_label". */
const usual = {
  image: ['image', 'img', 'picture', 'pixels', 'jpg', 'png', 'jpeg', 'webp'],
  label: ['label', 'labels', 'fine_label', 'class', 'target', 'category', 'cls'],
} as const

/** The columns of a Parquet file, and what it says of them itself. */
async function columnsOf(file: string): Promise<{ all: readonly SchemaTree[]; told: Features }> {
  await using handle = await openFileHandle(file)
  const { schema, keyValues } = await openParquet(handle, file)
  const told: Features =
    features.safeParse(parseJsonOrNull(keyValues.get('huggingface') ?? '')).data?.info.features ?? {}
  return { all: schema.children, told }
}

/** Whether a Parquet file is one of images: it says so, or has a column that looks like images and is called so. */
export async function holdsImages(file: string): Promise<boolean> {
  const { all, told } = await columnsOf(file)
  const names: readonly string[] = usual.image
  return all
    .filter(isOfImages)
    .some(
      ({ element: { name }, children }) =>
        told[name]?.kind === 'Image' || children.length > 0 || names.includes(name.toLowerCase()),
    )
}

/** @throws SecateurError where a Parquet file has no column of images or of classes, or several that could be meant */
export async function imageColumnsOf(file: string): Promise<ImageColumns> {
  const { all, told } = await columnsOf(file)
  const image = chosen(file, 'image', all.filter(isOfImages), (name) => told[name]?.kind === 'Image')
  const label = chosen(file, 'label', all.filter(isOfLabels), (name) => told[name]?.kind === 'ClassLabel')
  if (!image || !label) {
    const names = all.map(({ element }) => element.name).join(', ')
    const wanted = image
      ? 'column of classes (integers or texts, such as "label")'
      : 'column of images (a struct of bytes and path, or bytes)'
    throw badFile(file, undefined, `has no ${wanted}; its columns are ${names}`)
  }
  const names = told[label.element.name]?.names
  return {
    image: image.element.name,
    isStruct: image.children.length > 0,
    label: label.element.name,
    names: names !== undefined && names.length > 0 ? names : null,
  }
}

/** The column that is meant: the one that the file says of, the one with a usual name, or the only one. */
function chosen(
  file: string,
  what: keyof typeof usual,
  found: readonly SchemaTree[],
  isTold: (name: string) => boolean,
): SchemaTree | undefined {
  const told = found.filter(({ element }) => isTold(element.name))
  const among = told.length > 0 ? told : found
  if (among.length <= 1) return among[0]
  const named = usual[what].map((name) => among.find(({ element }) => element.name.toLowerCase() === name))
  const best = named.find((column) => column !== undefined)
  if (best) return best
  const names = among.map(({ element }) => element.name).join(', ')
  throw badFile(
    file,
    undefined,
    `has several columns that could be the ${what} (${names}): leave one, or name it "${what}"`,
  )
}

const isText = ({ element: { converted_type, logical_type } }: SchemaTree) =>
  converted_type === 'UTF8' || converted_type === 'ENUM' || logical_type?.type === 'STRING'

const isBytes = (column: SchemaTree) => column.element.type === 'BYTE_ARRAY' && !isText(column)

const isOfImages = (column: SchemaTree) =>
  column.element.repetition_type !== 'REPEATED' &&
  (column.children.length > 0
    ? column.children.some((child) => child.element.name === 'bytes' && isBytes(child))
    : isBytes(column))

const isOfLabels = (column: SchemaTree) =>
  column.children.length === 0 &&
  column.element.repetition_type !== 'REPEATED' &&
  (['INT32', 'INT64'].includes(column.element.type ?? '') || isText(column))
