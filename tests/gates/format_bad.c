int format_bad(int number);

int format_bad( int number ) {
  if (number>0) return 1;
  return 0;
}
