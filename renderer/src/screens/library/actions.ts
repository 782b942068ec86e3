import ChartLine from '@lucide/svelte/icons/chart-line'
import Copy from '@lucide/svelte/icons/copy'
import FileOutput from '@lucide/svelte/icons/file-output'
import FlaskConical from '@lucide/svelte/icons/flask-conical'
import FolderOpen from '@lucide/svelte/icons/folder-open'
import FolderInput from '@lucide/svelte/icons/folder-input'
import Gauge from '@lucide/svelte/icons/gauge'
import MapPin from '@lucide/svelte/icons/map-pin'
import MessageCircle from '@lucide/svelte/icons/message-circle'
import Merge from '@lucide/svelte/icons/merge'
import Pencil from '@lucide/svelte/icons/pencil'
import Scissors from '@lucide/svelte/icons/scissors'
import Trash from '@lucide/svelte/icons/trash-2'
import type { CheckpointSummary } from '../../../../electron/contract/index.ts'
import { isHere } from '../../checkpoint-status.ts'
import { call } from '../../client/index.ts'
import { choosePath } from '../../components/choose-path.svelte.ts'
import type { MenuItem } from '../../components/Menu.svelte'
import { baseName } from '../../format.ts'
import { href } from '../../router/routes.ts'
import { app } from '../../state/app.svelte.ts'
import { attempt } from '../../state/attempt.ts'
import { toasts } from '../../state/toasts.svelte.ts'

/** Dialogs of the list, opened for one checkpoint of it. */
export interface Dialogs {
  rename: (checkpoint: CheckpointSummary) => void
  remove: (checkpoint: CheckpointSummary) => void
  move: (checkpoint: CheckpointSummary) => void
}

/** What can be started with a checkpoint: nothing where its files are gone, or are a graph for other programs. */
export function runActions({ id, kind, status, format, images }: CheckpointSummary) {
  if (!isHere({ status }) || format === 'onnx') return []
  const playground = { label: 'Playground', icon: MessageCircle, href: href('playground', null, { checkpoint: id }) }
  if (kind === 'adapter') {
    return [
      { label: 'Merge', icon: Merge, href: href('new', null, { kind: 'merge', adapter: id }) },
      { label: 'Evaluate', icon: Gauge, href: href('new', null, { kind: 'evaluate', adapter: id }) },
      ...(images ? [] : [playground]),
    ]
  }
  return [
    { label: 'Prune', icon: Scissors, href: href('new', null, { kind: 'prune', checkpoint: id }) },
    { label: 'Fine-tune', icon: FlaskConical, href: href('new', null, { kind: 'finetune', checkpoint: id }) },
    { label: 'Evaluate', icon: Gauge, href: href('new', null, { kind: 'evaluate', checkpoint: id }) },
    { label: 'Export', icon: FileOutput, href: href('export', id) },
    ...(images ? [] : [playground]),
  ]
}

/** The form of a sweep, with the paper's comparison of criteria chosen. */
export function figureActions({ id, kind, status, format }: CheckpointSummary): MenuItem[] {
  if (kind === 'adapter' || !isHere({ status }) || format === 'onnx') return []
  const address = href('new', null, { kind: 'sweep', figure: 'criteria', checkpoint: id })
  return [{ label: 'Repeat a figure of the paper…', icon: ChartLine, href: address }]
}

/** Everything that can be done with a checkpoint, as a menu. */
export function menuOf(checkpoint: CheckpointSummary, dialogs: Dialogs): MenuItem[] {
  const runs = runActions(checkpoint)
  return [
    ...runs,
    ...figureActions(checkpoint),
    ...(runs.length > 0 ? (['separator'] as const) : []),
    ...entryActions(checkpoint, {
      rename: () => dialogs.rename(checkpoint),
      remove: () => dialogs.remove(checkpoint),
      move: () => dialogs.move(checkpoint),
    }),
  ]
}

/** What can be done with its files and its entry. The functions open dialogs of the screen. */
export function entryActions(
  checkpoint: CheckpointSummary,
  { rename, remove, move }: { rename: () => void; remove: () => void; move: () => void },
): MenuItem[] {
  return [
    { label: 'Rename…', icon: Pencil, run: rename },
    {
      label: 'Copy its files…',
      icon: Copy,
      disabled: !isHere(checkpoint),
      run: () => void exportCopy(checkpoint),
    },
    { label: 'Move to another drive…', icon: FolderInput, disabled: !isHere(checkpoint), run: move },
    ...(app.info?.canOpenFolders
      ? [
          {
            label: 'Open folder',
            icon: FolderOpen,
            disabled: !isHere(checkpoint),
            run: () => void attempt(() => call('folders.open', { path: checkpoint.path })),
          },
        ]
      : []),
    { label: 'Relocate…', icon: MapPin, run: () => void relocate(checkpoint) },
    'separator',
    { label: 'Remove…', icon: Trash, danger: true, run: remove },
  ]
}

/** Lets the user say where a checkpoint's folder, or its GGUF file, is now. */
export async function relocate({ id, name, format }: CheckpointSummary): Promise<void> {
  const path = await choosePath(format === 'gguf' ? 'file' : 'folder', `Where is ${name} now?`)
  if (path && (await attempt(() => call('library.relocate', { id, path })))) {
    toasts.show({ level: 'success', message: `${name} was found again in ${path}.` })
  }
}

async function exportCopy({ id, name, path: from }: CheckpointSummary): Promise<void> {
  const folder = await choosePath('folder', `Put a copy of ${name} in`)
  if (!folder) return
  const to = `${folder.replace(/[/\\]$/, '')}/${nameForFolder(name, from)}`
  toasts.show({ message: `Copying ${name} to ${to}.` })
  if (await attempt(() => call('library.export', { id, to }))) {
    toasts.show({ level: 'success', message: `${name} was copied to ${to}.` })
  }
}

/** The checkpoint's name as a folder's; that of its own folder where nothing of it can be one. */
function nameForFolder(name: string, path: string): string {
  const plain = name.replaceAll(/[^\p{L}\p{N}._ -]+/gu, '-').replaceAll(/^[. -]+|[. -]+$/g, '')
  return plain || baseName(path)
}

export async function setFavourite({ id }: CheckpointSummary, favourite: boolean): Promise<void> {
  await attempt(() => call('library.update', { id, favourite }))
}
