import type { MenuItemConstructorOptions } from 'electron'
import type { SampleName } from '../contract/index.ts'

export interface MenuActions {
  /** Shows a screen by its address. */
  go(hash: string): void
  openDataFolder(): void
  openSample(sample: SampleName): void
}

/** The application menu. Accelerators are those that the renderer's keyboard help names where it has them too. */
export function menuTemplate(
  { platform, packaged }: { platform: NodeJS.Platform; packaged: boolean },
  { go, openDataFolder, openSample }: MenuActions,
): MenuItemConstructorOptions[] {
  const isMac = platform === 'darwin'
  const screen = (label: string, hash: string, accelerator: string): MenuItemConstructorOptions => ({
    label,
    accelerator,
    click: () => go(hash),
  })
  const settings = screen('Settings…', '#/settings', 'CmdOrCtrl+,')
  const separator: MenuItemConstructorOptions = { type: 'separator' }
  return [
    ...(isMac
      ? [
          {
            role: 'appMenu' as const,
            submenu: [
              { role: 'about' as const },
              separator,
              settings,
              separator,
              { role: 'services' as const },
              separator,
              { role: 'hide' as const },
              { role: 'hideOthers' as const },
              { role: 'unhide' as const },
              separator,
              { role: 'quit' as const },
            ],
          },
        ]
      : []),
    {
      label: '&File',
      submenu: [
        screen('New Run…', '#/new', 'CmdOrCtrl+N'),
        separator,
        { label: 'Show Data Folder', click: openDataFolder },
        ...(isMac ? [] : [separator, settings]),
        separator,
        isMac ? { role: 'close' } : { role: 'quit' },
      ],
    },
    { role: 'editMenu' },
    {
      label: '&View',
      submenu: [
        screen('Library', '#/library', 'CmdOrCtrl+1'),
        screen('Datasets', '#/datasets', 'CmdOrCtrl+2'),
        screen('History', '#/history', 'CmdOrCtrl+3'),
        screen('Compare', '#/compare', 'CmdOrCtrl+4'),
        separator,
        { role: 'reload' },
        ...(packaged ? [] : [{ role: 'toggleDevTools' as const }]),
        separator,
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        separator,
        { role: 'togglefullscreen' },
      ],
    },
    { role: 'windowMenu' },
    {
      role: 'help',
      submenu: [
        { label: 'Show Sample of Text', click: () => openSample('text') },
        { label: 'Show Sample of Images', click: () => openSample('images') },
        ...(isMac ? [] : [separator, { role: 'about' as const }]),
      ],
    },
  ]
}
