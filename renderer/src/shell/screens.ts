import type { LucideIcon } from '@lucide/svelte'
import Settings from '@lucide/svelte/icons/settings'
import type { Component } from 'svelte'
import type { Route, ScreenName } from '../router/routes.ts'

/** What a screen is given that asks for it: its address. It is made anew when its id changes, not when its query does. */
export interface ScreenProps {
  route: Route
}

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
    name: 'settings',
    title: 'Settings',
    icon: Settings,
    inNavigation: true,
    load: () => import('../screens/settings/SettingsScreen.svelte'),
  },
]

export const screenNamed = (name: ScreenName): Screen | undefined => screens.find((screen) => screen.name === name)
