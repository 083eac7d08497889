/** Calendar arithmetic on the proleptic Gregorian calendar, without the host's notion of time. */

/** A day of the calendar. */
export interface CalendarDay {
  year: number;
  /** 1–12. */
  month: number;
  /** 1–31. */
  day: number;
}

/** Days of 400 years, after which the calendar repeats. */
const ERA_DAYS = 146097;
/** Days from 0000-03-01 to 1970-01-01. */
const EPOCH_DAYS = 719468;

/** Days from 1970-01-01 to the given day; a `day` outside of its month counts on into the neighbouring ones. */
export function daysFromCalendar({ year, month, day }: CalendarDay): number {
  // Years that begin in March, so that the leap day is the last one.
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400), yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * ERA_DAYS + dayOfEra - EPOCH_DAYS;
}

/** The day `days` days after 1970-01-01. */
export function calendarFromDays(days: number): CalendarDay {
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / ERA_DAYS), dayOfEra = shifted - era * ERA_DAYS;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36524) + Math.floor(dayOfEra / 146096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

/** Day of the week of the day `days` days after 1970-01-01: 0 = Sunday. */
export function weekday(days: number): number {
  return (((days + 4) % 7) + 7) % 7;
}
