/** The categories by which MMLU is reported, in the harness's order, and the subjects of each (Hendrycks et al., 2021). */
export const mmluCategories = {
  stem: [
    'abstract_algebra',
    'anatomy',
    'astronomy',
    'college_biology',
    'college_chemistry',
    'college_computer_science',
    'college_mathematics',
    'college_physics',
    'computer_security',
    'conceptual_physics',
    'electrical_engineering',
    'elementary_mathematics',
    'high_school_biology',
    'high_school_chemistry',
    'high_school_computer_science',
    'high_school_mathematics',
    'high_school_physics',
    'high_school_statistics',
    'machine_learning',
  ],
  other: [
    'business_ethics',
    'clinical_knowledge',
    'college_medicine',
    'global_facts',
    'human_aging',
    'management',
    'marketing',
    'medical_genetics',
    'miscellaneous',
    'nutrition',
    'professional_accounting',
    'professional_medicine',
    'virology',
  ],
  social_sciences: [
    'econometrics',
    'high_school_geography',
    'high_school_government_and_politics',
    'high_school_macroeconomics',
    'high_school_microeconomics',
    'high_school_psychology',
    'human_sexuality',
    'professional_psychology',
    'public_relations',
    'security_studies',
    'sociology',
    'us_foreign_policy',
  ],
  humanities: [
    'formal_logic',
    'high_school_european_history',
    'high_school_us_history',
    'high_school_world_history',
    'international_law',
    'jurisprudence',
    'logical_fallacies',
    'moral_disputes',
    'moral_scenarios',
    'philosophy',
    'prehistory',
    'professional_law',
    'world_religions',
  ],
} as const

export type MmluCategory = keyof typeof mmluCategories

const categories = new Map<string, MmluCategory>(
  Object.entries(mmluCategories).flatMap(([category, subjects]) =>
    subjects.map((subject) => [subject, category as MmluCategory] as const),
  ),
)

export const mmluSubjects: readonly string[] = [...categories.keys()].toSorted()

/** The category of a subject; undefined of what is none. */
export const mmluCategory = (subject: string): MmluCategory | undefined => categories.get(subject)

/** What stands in front of the questions of a subject. */
export const mmluDescription = (subject: string): string =>
  `The following are multiple choice questions (with answers) about ${subject.replaceAll('_', ' ')}.\n\n`
