// What a workstation and the relay on a login node say to each other, over the input and output of ssh.
import { z } from 'zod'
import {
  clusterReportSchema,
  dataCheckSchema,
  evaluateSchema,
  failureSchema,
  jobEstimateSchema,
  sweepSchema,
} from '../../contract/index.ts'
import { queueSchema, submissionSchema } from '../slurm/cluster-folder.ts'

/** Begins the line with which a relay says that it is there: what a shell prints at a login comes before. */
export const greeting = 'secateur-relay '
export const helloSchema = z.object({ version: z.string().max(100) })

/** Milliseconds between two signs of life of a workstation, and without one after which a relay takes it for gone. */
export const signPeriod = 15_000
export const signPatience = 90_000

/** Bytes of a file that are sent at once, and of a line. */
export const mostBytes = 1 << 20
export const longestMessage = 64 << 20
/** Bytes of a file, weights left out, and files of a run. */
export const mostFileBytes = 64 << 20
export const mostFiles = 1000

const heldFile = z.object({
  size: z.number().int().min(0),
  /** Milliseconds of the time at which it was changed on the cluster. */
  modified: z.number(),
  /** Of a file that grows, the hash of its last bytes; null for others. */
  end: z.string().max(100).nullable(),
})
/** A file as the workstation has it. */
export type HeldFile = z.infer<typeof heldFile>

/** What is done on a cluster as a whole. */
const wholeSchema = z.discriminatedUnion('kind', [sweepSchema, evaluateSchema])

/** What a relay is asked, one line each; an empty line is a sign of life. */
export const requestSchema = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('submit'), job: wholeSchema, resume: z.boolean() }),
  z.strictObject({
    ask: z.literal('follow'),
    folder: z.string(),
    fetchOutputs: z.boolean(),
    /** By the path in the folder of the whole. */
    held: z.record(z.string(), heldFile),
  }),
  z.strictObject({ ask: z.literal('cancel'), folder: z.string() }),
  z.strictObject({ ask: z.literal('estimate'), job: wholeSchema, resume: z.boolean() }),
  z.strictObject({ ask: z.literal('cluster') }),
])
export type RelayRequest = z.input<typeof requestSchema>

const name = z.string().regex(/^[\w.-]{1,200}$/)
const level = z.enum(['info', 'warning', 'error'])
const text = z.string().max(20_000)

/** What it says, one line each. */
export const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('note'), level, message: text }),
  z.object({ type: z.literal('submissions'), submissions: z.array(submissionSchema) }),
  z.object({ type: z.literal('queue'), queue: queueSchema }),
  z.object({ type: z.literal('began'), name }),
  /** All files of the task have been sent. `isWhole` as a runner's listener has it. */
  z.object({ type: z.literal('ended'), name, isWhole: z.boolean() }),
  z.object({ type: z.literal('failed'), name, error: failureSchema }),
  z.object({
    type: z.literal('file'),
    path: z.string().max(2000),
    /** Whether what is there up to the offset stays and this is added; other files are replaced once they are whole. */
    grows: z.boolean(),
    offset: z.number().int().min(0),
    /** Bytes that follow this line. */
    length: z.number().int().min(0).max(mostBytes),
    /** Bytes of the whole file, and when it was changed. */
    size: z.number().int().min(0),
    modified: z.number(),
  }),
  z.object({ type: z.literal('gone'), path: z.string().max(2000) }),
  z.object({ type: z.literal('estimated'), estimate: jobEstimateSchema, data: dataCheckSchema }),
  z.object({ type: z.literal('cluster'), report: clusterReportSchema }),
  z.object({ type: z.literal('refused'), error: failureSchema }),
  /** What was asked is done; a text where there is something to say of it. */
  z.object({ type: z.literal('done'), text: text.nullable() }),
])
export type RelayMessage = z.infer<typeof messageSchema>
export type FileMessage = Extract<RelayMessage, { type: 'file' }>
