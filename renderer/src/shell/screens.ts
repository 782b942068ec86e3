import type { LucideIcon } from '@lucide/svelte'
import ChartSpline from '@lucide/svelte/icons/chart-spline'
import CirclePlus from '@lucide/svelte/icons/circle-plus'
import Columns2 from '@lucide/svelte/icons/columns-2'
import FileOutput from '@lucide/svelte/icons/file-output'
import HistoryIcon from '@lucide/svelte/icons/history'
import Box from '@lucide/svelte/icons/box'
import MessageCircle from '@lucide/svelte/icons/message-circle'
import Database from '@lucide/svelte/icons/database'
import Settings from '@lucide/svelte/icons/settings'
import type { Component } from 'svelte'
import type { ScreenName, ScreenProps } from '../router/routes.ts'

export interface Screen {
  name: ScreenName
  title: string
  icon: LucideIcon
  /** Whether the navigation names it; the others are reached from elsewhere. */
  inNavigation: boolean
  load: () => Promise<{ default: Component<ScreenProps> | Component }>
}

/** The screens, in the order of the navigation. Each is loaded when it is first opened. */
export const screens: readonly Screen[] = [
  {
    name: 'library',
    title: 'Library',
    icon: Box,
    inNavigation: true,
    load: () => import('../screens/library/LibraryScreen.svelte'),
  },
  {
    name: 'datasets',
    title: 'Data sets',
    icon: Database,
    inNavigation: true,
    load: () => import('../screens/datasets/DatasetsScreen.svelte'),
  },
  {
    name: 'new',
    title: 'New run',
    icon: CirclePlus,
    inNavigation: true,
    load: () => import('../screens/new-run/NewRunScreen.svelte'),
  },
  {
    name: 'runs',
    title: 'Run',
    icon: ChartSpline,
    inNavigation: false,
    load: () => import('../screens/run/RunScreen.svelte'),
  },
  {
    name: 'history',
    title: 'History',
    icon: HistoryIcon,
    inNavigation: true,
    load: () => import('../screens/history/HistoryScreen.svelte'),
  },
  {
    name: 'compare',
    title: 'Compare',
    icon: Columns2,
    inNavigation: true,
    load: () => import('../screens/compare/CompareScreen.svelte'),
  },
  {
    name: 'playground',
    title: 'Playground',
    icon: MessageCircle,
    inNavigation: true,
    load: () => import('../screens/playground/PlaygroundScreen.svelte'),
  },
  {
    name: 'export',
    title: 'Export',
    icon: FileOutput,
    inNavigation: false,
    load: () => import('../screens/export/ExportScreen.svelte'),
  },
  {
    name: 'settings',
    title: 'Settings',
    icon: Settings,
    inNavigation: true,
    load: () => import('../screens/settings/SettingsScreen.svelte'),
  },
]

export const screenNamed = (name: ScreenName): Screen | undefined => screens.find((screen) => screen.name === name)
