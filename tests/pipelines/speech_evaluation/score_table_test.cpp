#include "pipelines/speech/evaluation/score_table.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "modules/core/error.hpp"
#include "tests/pipelines/speech_evaluation/temporary_folder.hpp"

namespace reseda::speech {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::string failure(const std::string& spec, Errc code = Errc::kInput) {
  try {
    read_scores(spec);
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code);
    return e.what();
  }
  return "";
}

TEST(ScoreTable, CsvWrittenAndRead) {
  ScoreTable table;
  table.columns = {"si_sdr", "odd,name"};
  table.rows = {{"a/t1.wav", {0.1, -3}}, {"say \"hi\".wav", {kNan, 1e-300}}};
  EXPECT_EQ(to_csv(table), "file,si_sdr,\"odd,name\"\na/t1.wav,0.1,-3\n\"say \"\"hi\"\".wav\",,1e-300\n");

  const test::TemporaryFolder folder;
  const ScoreTable back = read_scores(folder.write("s.csv", to_csv(table)));
  EXPECT_EQ(back.columns, table.columns);
  ASSERT_EQ(back.rows.size(), 2U);
  EXPECT_EQ(back.rows[1].file, "say \"hi\".wav");
  EXPECT_EQ(back.rows[0].values, table.rows[0].values);
  EXPECT_TRUE(std::isnan(back.rows[1].values[0]));
  EXPECT_EQ(back.rows[1].values[1], 1e-300);
}

TEST(ReadScores, TakesColumnsOfNumbersOrTheOnesAskedFor) {
  const test::TemporaryFolder folder;
  const std::string file = folder.write(
      "s.csv", "\xEF\xBB\xBFpesq,file,speaker,mos,empty\r\n2.5,t1.wav,anna,4,\r\n 1e0 ,t2.wav,7,n/a,\r\n\r\n");
  EXPECT_EQ(read_scores(file).columns, (std::vector<std::string>{"pesq", "mos"}));
  EXPECT_EQ(read_scores(file + ":mos").columns, (std::vector<std::string>{"mos"}));
  EXPECT_EQ(read_scores(file).rows[1].values[0], 1.0);
  EXPECT_TRUE(std::isnan(read_scores(file).rows[1].values[1]));
  EXPECT_EQ(failure(file + ":mos,speaker"), file + ":2: 'anna' in column 'speaker' is no number");
  EXPECT_EQ(failure(file + ":stoi", Errc::kUsage), file + ": no column 'stoi'");
}

TEST(ReadScores, BadFiles) {
  const test::TemporaryFolder folder;
  EXPECT_NE(failure((folder / "gone.csv").string()).find("gone.csv"), std::string::npos);
  std::string file = folder.write("s.csv", "");
  EXPECT_EQ(failure(file), file + ": empty, expected a header line with a column 'file'");
  file = folder.write("s.csv", "name,pesq\n");
  EXPECT_EQ(failure(file), file + ":1: the header has no column 'file'");
  file = folder.write("s.csv", "file,pesq\nt1,1\nt2\n");
  EXPECT_EQ(failure(file), file + ":3: 1 cells, the header has 2");
  file = folder.write("s.csv", "file,pesq\nt1,1\nt1,2\n");
  EXPECT_EQ(failure(file), file + ":3: file 't1' is there twice");
  file = folder.write("s.csv", "file,pesq\nt1,\"1\n2\n");
  EXPECT_EQ(failure(file), file + ":2: a quoted cell does not end");
  file = folder.write("s.csv", "file,who\nt1,anna\n");
  EXPECT_EQ(failure(file), file + ": no column of numbers beside 'file'");
}

TEST(MergeScores, ByPathOrName) {
  ScoreTable table;
  table.columns = {"estoi"};
  table.rows = {{"a/t1.wav", {0.5}}, {"a/t2.wav", {0.6}}, {"t3.wav", {0.7}}};
  ScoreTable outside;
  outside.columns = {"pesq"};
  outside.rows = {{"a/t1.flac", {1}}, {"t2.wav", {2}}, {"other.wav", {9}}};
  EXPECT_EQ(merge_scores(table, outside), std::vector<std::string>{"other.wav"});
  EXPECT_EQ(table.columns, (std::vector<std::string>{"estoi", "pesq"}));
  EXPECT_EQ(table.rows[0].values[1], 1);
  EXPECT_EQ(table.rows[1].values[1], 2);
  EXPECT_TRUE(std::isnan(table.rows[2].values[1]));
  EXPECT_THROW(merge_scores(table, outside), Error) << "the column exists now";
}

}  // namespace
}  // namespace reseda::speech
