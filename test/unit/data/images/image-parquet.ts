import { parquetWriteBuffer } from 'hyparquet-writer'

/** What the library of the Hub leaves beside the schema. */
export const told = (features: object) => [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }]

/** The same of images whose classes have names. */
export const toldOf = (names: readonly string[]) =>
  told({ image: { _type: 'Image' }, label: { names, _type: 'ClassLabel' } })

export interface Table {
  image?: readonly unknown[]
  label?: readonly unknown[]
  others?: Record<string, readonly unknown[]>
  /** Other names of the two columns. */
  called?: { image?: string; label?: string }
  kvMetadata?: { key: string; value: string }[]
  labelType?: 'INT64' | 'STRING' | 'DOUBLE'
  rowGroupSize?: number
}

const optional = { repetition_type: 'OPTIONAL' } as const
const schemaOf = {
  INT64: { type: 'INT64' },
  DOUBLE: { type: 'DOUBLE' },
  STRING: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
} as const

/** A Parquet file as the library of the Hub writes it: a struct of bytes and path, and a label. */
export function imageParquet(table: Table): Buffer {
  const { image, label, others = {}, called = {}, kvMetadata, labelType = 'INT64', rowGroupSize = 2 } = table
  const { image: imageName = 'image', label: labelName = 'label' } = called
  const columns = [
    ...(image ? [{ name: imageName, data: image as unknown[] }] : []),
    ...(label ? [{ name: labelName, data: label as unknown[] }] : []),
    ...Object.entries(others).map(([name, data]) => ({ name, data: data as unknown[] })),
  ]
  const schema = [
    { name: 'root', num_children: columns.length },
    ...(image
      ? [
          { name: imageName, num_children: 2, ...optional },
          { name: 'bytes', type: 'BYTE_ARRAY', ...optional } as const,
          { name: 'path', ...schemaOf.STRING, ...optional },
        ]
      : []),
    ...(label ? [{ name: labelName, ...schemaOf[labelType], ...optional }] : []),
    ...Object.keys(others).map((name) => ({ name, ...schemaOf.INT64, ...optional })),
  ]
  return Buffer.from(
    parquetWriteBuffer({ columnData: columns, schema, ...(kvMetadata && { kvMetadata }), rowGroupSize }),
  )
}
