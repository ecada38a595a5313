/** The head of a stream says which place is the newest then: behind it begins whoever names none. */
export const newestPlace = 'sallyport-newest-event';
